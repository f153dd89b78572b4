import type { ProcessLike } from './run-command-line.ts';

/** Runs a command line in this process, to its exit code; a signal aborts it. */
export async function runProcess(
  run: (argv: readonly string[], io: ProcessLike, signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort(name));
  // A reader that went away (`holdfast results | head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`holdfast: cannot write the output (${error.code ?? 'unknown reason'})\n`);
    process.exit(3);
  });
  // A sentence that cannot be written changes nothing of what the command came to.
  process.stderr.on('error', () => undefined);
  process.exitCode = await run(process.argv.slice(2), process, abort.signal);
}
