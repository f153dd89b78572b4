import { parseArgs } from 'node:util';
import { type BenchContext, CannotRunError, createBenchContext } from './bench-context.ts';
import type { Figure } from './figure.ts';
import { describeMachine, toJson, toTable } from './report.ts';

type Bench = (context: BenchContext) => Promise<Figure[]>;

/** Loaded by name: one benchmark's native code must not keep another from running. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  tpm: async () => (await import('./tpm-bench.ts')).benchTpm,
  bootlog: async () => (await import('./bootlog-bench.ts')).benchBootlog,
  inventory: async () => (await import('./inventory-bench.ts')).benchInventory,
  layers: async () => (await import('./layers-bench.ts')).benchLayers,
  drift: async () => (await import('./drift-bench.ts')).benchDrift,
  steady: async () => (await import('./steady-bench.ts')).benchSteady,
  stream: async () => (await import('./stream-bench.ts')).benchStream,
  verifier: async () => (await import('./verifier-bench.ts')).benchVerifier,
};

const MAX_RUN_MS = 8 * 60_000;

interface Options {
  readonly name: string;
  readonly load: () => Promise<Bench>;
  readonly json: boolean;
  readonly quick: boolean;
}

class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

process.exitCode = await main();
// Pools of libraries may hold the process; everything of ours is closed by now.
process.exit();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stderr.write(
      `bench: ${options}\nusage: scripts/bench NAME [--json] [--quick]; NAME is one of ${Object.keys(BENCHES).join(', ')}\n`,
    );
    return 2;
  }
  const machine = describeMachine();
  const context = await createBenchContext(options.name, options.quick);
  const interruption = listenForInterruption();
  try {
    const bench = await options.load();
    const figures = await Promise.race([bench(context), interruption]);
    const print = options.json ? toJson : toTable;
    process.stdout.write(`${print(options.name, machine, figures)}\n`);
    return figures.some(({ pass }) => pass === false) ? 1 : 0;
  } catch (error) {
    return explain(error, context);
  } finally {
    await context.close();
  }
}

function readOptions(argv: string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
    });
    const [name, ...rest] = positionals;
    if (name === undefined || rest.length > 0) return 'name one benchmark';
    const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    return load === undefined ? `there is no benchmark "${name}"` : { name, load, ...values };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function listenForInterruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => reject(new InterruptedError('interrupted')));
  }
  const late = new CannotRunError(`this machine did not get through within ${MAX_RUN_MS / 60_000} minutes`);
  setTimeout(() => reject(late), MAX_RUN_MS).unref();
  return promise;
}

function explain(error: unknown, { say }: BenchContext): number {
  if (error instanceof InterruptedError) {
    say('interrupted; cleaning up');
    return 130;
  }
  if (error instanceof CannotRunError) say(`cannot run: ${error.message}`);
  else say(`cannot run: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 3;
}
