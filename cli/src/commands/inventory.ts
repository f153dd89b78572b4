import { collectInventory, ViewLimitError } from '@holdfast/agent';
import type { Inventory, InventoryPackage } from '@holdfast/evidence';
import { inventoryToCycloneDx } from '@holdfast/verifier';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command, Flags } from '../command.ts';
import { openNamedView } from '../open-view.ts';
import { type Column, formatTable } from '../table.ts';
import { printable, type Terminal } from '../terminal.ts';
import { TOOL_VERSION } from '../version.ts';

const FORMATS = ['json', 'cyclonedx', 'table'] as const;
type Format = (typeof FORMATS)[number];

export const inventory: Command = {
  name: 'inventory',
  summary: 'packages of a root directory or an OCI image layout',
  positionals: 'DIR|OCI-LAYOUT[:TAG]',
  arity: [1, 1],
  options: { format: { type: 'string', value: 'FORMAT', help: 'json, cyclonedx or table (the default)' } },
  run: async ({ flags, positionals, terminal }) => {
    const [name = ''] = positionals;
    const format = chooseFormat(flags);
    const view = await openNamedView(name);
    try {
      const found = collectInventory(view);
      process.stdout.write(`${formatInventory(found, format, name, terminal)}\n`);
      return EXIT.good;
    } catch (error) {
      if (error instanceof ViewLimitError) throw undecided(`${name}: ${error.message}`, error);
      throw error;
    } finally {
      view.close();
    }
  },
};

function chooseFormat(flags: Flags): Format {
  const text = flags.text('format') ?? (flags.has('json') ? 'json' : 'table');
  const format = FORMATS.find((known) => known === text);
  if (format === undefined) throw usageError(`--format takes one of ${FORMATS.join(', ')}`);
  return format;
}

function formatInventory(found: Inventory, format: Format, name: string, terminal: Terminal): string {
  if (format === 'json') return JSON.stringify(found);
  if (format === 'cyclonedx') return inventoryToCycloneDx(found, { name, toolVersion: TOOL_VERSION });
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
