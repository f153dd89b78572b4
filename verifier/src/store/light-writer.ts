import type { DatabaseSync } from 'node:sqlite';
import { runLightTransaction } from './open-database.ts';

/** Writes of many callers that nobody waits for the disk for; see `runLightTransaction`. */
export interface LightWriter {
  /**
   * Runs `work` in a transaction that it may share with the work of others; resolves once that is committed, and rejects
   * with what `work` throws or the store does. `work` may run twice, the first time taken back, so it changes nothing but
   * the store.
   */
  run<T>(work: () => T): Promise<T>;
}

interface Waiting {
  /** Runs the work and gives what tells its caller. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
}

/** More than this would hold up those who do something else. */
const MAX_TOGETHER = 64;

/** Creates a writer that commits each work at once, by itself. */
export function createLightWriter(database: DatabaseSync): LightWriter {
  return { run: async (work) => await Promise.resolve(runLightTransaction(database, work)) };
}

/**
 * Creates a writer that commits together what comes in during one turn of the event loop. For a process that serves many
 * streams, whose messages come in bursts: most of a small transaction's cost is its commit.
 */
export function createSharedWriter(database: DatabaseSync): LightWriter {
  const waiting: Waiting[] = [];
  const flush = (): void => {
    const together = waiting.splice(0, MAX_TOGETHER);
    if (waiting.length > 0) setImmediate(flush);
    commitTogether(database, together);
  };
  return {
    run: async (work) =>
      await new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush);
        const run = () => {
          const value = work();
          return () => resolve(value);
        };
        waiting.push({ run, fail: reject });
      }),
  };
}

function commitTogether(database: DatabaseSync, together: readonly Waiting[]): void {
  try {
    const told = runLightTransaction(database, () => together.map(({ run }) => run()));
    for (const tell of told) tell();
  } catch (error) {
    const [only, ...others] = together;
    // What one of them cannot do is no failure of the others.
    if (others.length > 0) for (const each of together) commitTogether(database, [each]);
    else only?.fail(error);
  }
}
