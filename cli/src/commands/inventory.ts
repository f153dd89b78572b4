import { collectInventory, ViewLimitError } from '@holdfast/agent';
import type { Inventory, InventoryPackage } from '@holdfast/evidence/inventory';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import { type Command, type Flags, type Invocation, integerFlag } from '../command.ts';
import { openNamedView } from '../open-view.ts';
import { choosePlatform, PLATFORM_OPTION } from '../platform-option.ts';
import { chooseRuntime, RUNTIME_OPTION } from '../runtime-choice.ts';
import { type Column, formatTable } from '../table.ts';
import { printable, type Terminal } from '../terminal.ts';
import { TOOL_VERSION } from '../version.ts';

const FORMATS = ['json', 'cyclonedx', 'table'] as const;
type Format = (typeof FORMATS)[number];

const CONTAINER = 'container:';
const DEFAULT_TIMEOUT_MS = 180_000;

export const inventory: Command = {
  name: 'inventory',
  summary: 'packages of a root directory, an OCI image layout or a running container',
  positionals: 'DIR|OCI-LAYOUT[:TAG]|container:ID',
  arity: [1, 1],
  options: {
    format: { type: 'string', value: 'FORMAT', help: 'json, cyclonedx or table (the default)' },
    platform: { ...PLATFORM_OPTION, help: `for an image layout: ${PLATFORM_OPTION.help}` },
    runtime: { ...RUNTIME_OPTION, help: `for a container: ${RUNTIME_OPTION.help}` },
    'timeout-ms': {
      type: 'string',
      value: 'N',
      help: `for a container: longest wait for its scan; default ${DEFAULT_TIMEOUT_MS}`,
    },
  },
  run: async (invocation) => {
    const [name = ''] = invocation.positionals;
    const format = chooseFormat(invocation.flags);
    const timeoutMs = integerFlag(invocation.flags, 'timeout-ms', { min: 1, max: 86_400_000 }) ?? DEFAULT_TIMEOUT_MS;
    const choice = choosePlatform(invocation.flags);
    if (name.startsWith(CONTAINER) && choice.platform !== undefined) throw usageError('--platform is for images');
    const found = name.startsWith(CONTAINER)
      ? await collectFromContainer(invocation, name.slice(CONTAINER.length), timeoutMs)
      : await collectFromView(name, choice);
    process.stdout.write(`${await formatInventory(found, format, name, invocation.terminal)}\n`);
    return EXIT.good;
  },
};

async function collectFromView(name: string, choice: ReturnType<typeof choosePlatform>): Promise<Inventory> {
  const view = await openNamedView(name, choice);
  try {
    return collectInventory(view);
  } catch (error) {
    if (error instanceof ViewLimitError) throw undecided(`${name}: ${error.message}`, error);
    throw error;
  } finally {
    view.close();
  }
}

/** The merged view of the running container, through the same scan that the agent makes. */
async function collectFromContainer(invocation: Invocation, wanted: string, timeoutMs: number): Promise<Inventory> {
  if (wanted === '' || wanted === 'all') throw usageError('name one container: container:ID');
  // Loaded only here, as is what else a root on disk can do without: it would take longer than the inventory itself.
  const { collectLiveContainers } = await import('../live-containers.ts');
  const { containers } = await collectLiveContainers({
    wanted,
    runtime: await chooseRuntime(invocation),
    timeoutMs,
    signal: invocation.signal,
    needsProof: false,
    onProgress: () => invocation.terminal.note('the container is still being read'),
  });
  const [found] = containers;
  if (found?.inventory == null) {
    const limits = found?.claims.scan.limits.join(', ') ?? 'nothing is known of it';
    throw undecided(`the root file system of ${wanted} could not be read: ${limits}`);
  }
  return found.inventory;
}

function chooseFormat(flags: Flags): Format {
  const text = flags.text('format') ?? (flags.has('json') ? 'json' : 'table');
  const format = FORMATS.find((known) => known === text);
  if (format === undefined) throw usageError(`--format takes one of ${FORMATS.join(', ')}`);
  if (format === 'table' && flags.has('json')) throw usageError('--json and --format table exclude each other');
  return format;
}

async function formatInventory(found: Inventory, format: Format, name: string, terminal: Terminal): Promise<string> {
  if (format === 'json') return JSON.stringify(found);
  if (format === 'cyclonedx') {
    // Loaded only here: a tenth of a second that the other formats need not wait.
    const { inventoryToCycloneDx } = await import('@holdfast/verifier');
    return inventoryToCycloneDx(found, { name, toolVersion: TOOL_VERSION });
  }
  return formatInventoryTable(found, terminal);
}

const COLUMNS: Column<InventoryPackage>[] = [
  { title: 'TYPE', cell: (row) => row.type },
  { title: 'NAME', cell: (row) => row.name },
  { title: 'VERSION', cell: (row) => row.version },
  { title: 'PATH', cell: (row) => row.path },
];

function formatInventoryTable(found: Inventory, terminal: Terminal): string {
  const databases = found.databases.map((database) => `${database.type} ${printable(database.path)}`).join(', ');
  const lines = [
    found.packages.length === 0 ? 'no packages' : formatTable(COLUMNS, found.packages, terminal),
    '',
    `${found.packages.length} packages; databases: ${databases === '' ? 'none found' : databases}`,
    `owned by no package: ${found.unowned.executables} executables, ${found.unowned.sharedObjects} shared objects`,
  ];
  if (!found.complete) lines.push(`NOT COMPLETE: ${found.limits.map(printable).join('; ')}`);
  return lines.join('\n');
}
