import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';

/** The machine lacks something that this benchmark needs; the message says what. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError';
}

/** What a benchmark works with. Whatever it starts, it hands to `defer` at once. */
export interface BenchContext {
  /** A directory of its own, on a disk, removed at the end. */
  readonly directory: string;
  /** Where what is slow to make is kept for the next run. */
  readonly cache: string;
  /** Half the repetitions and samples: to try the machinery, not for figures. */
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  /** Runs at the end, the last one first, whatever happened. */
  readonly defer: (closer: () => Promise<unknown>) => void;
  readonly close: () => Promise<void>;
}

/** Makes the directories of one run. */
export async function createBenchContext(name: string, isQuick: boolean): Promise<BenchContext> {
  // Short, since a unix socket's path has 107 bytes, and on a disk, since images may not fit into memory.
  const directory = await mkdtemp('/var/tmp/hf-bench-');
  const cache = join(CHECKOUT, '.cache/bench');
  await mkdir(cache, { recursive: true });
  const say = (text: string): void => void process.stderr.write(`bench ${name}: ${text}\n`);
  const closers: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    // What is deferred while others close is closed too.
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
      await closer().catch((error: unknown) => say(`not cleaned up: ${String(error)}`));
    }
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    directory,
    cache,
    isQuick,
    say,
    defer: (closer) => void closers.push(closer),
    close: () => {
      closing ??= closeAll();
      return closing;
    },
  };
}
