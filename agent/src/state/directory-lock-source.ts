import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AgentError } from '../agent-error.ts';

const NAME = 'lock.sqlite';
/** Long enough for one of two that began together to see that the other one has it. */
const WAIT_MS = 200;
const SQLITE_BUSY = 5;

/**
 * Holds a directory for this process by an exclusive transaction on an empty database in it, that is by a record lock of
 * the kernel. Returns the release. Throws `AgentError` ERR_AGENT_STATE where another process holds it.
 *
 * Of what Node offers only this is taken in one step, is freed by the kernel however the process ends, and holds between
 * containers: a socket or a file with a process id has to be found dead and taken away before it is made anew, and two
 * that start together take away each other's; an abstract socket is seen in its network namespace only.
 */
export async function lockDirectory(path: string): Promise<() => void> {
  const file = join(path, NAME);
  try {
    await createFile(file);
    return beginExclusive(file);
  } catch (error) {
    const sentence = isBusy(error)
      ? `another agent uses the state directory ${path}`
      : `the state directory ${path} cannot be locked`;
    throw new AgentError('ERR_AGENT_STATE', sentence, { cause: error });
  }
}

/** With the mode of all files there. One that exists is not opened: closing it would free a lock that this process has. */
async function createFile(file: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await handle?.close();
  }
}

function beginExclusive(file: string): () => void {
  const database = new DatabaseSync(file, { timeout: WAIT_MS });
  try {
    // Nothing is ever written, so no journal needs to lie beside it.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw error;
  }
  return () => database.close();
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' && (code & 0xff) === SQLITE_BUSY;
}
