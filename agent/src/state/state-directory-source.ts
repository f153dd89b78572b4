import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../agent-error.ts';
import { AppendedFile } from './appended-file-source.ts';
import { lockDirectory } from './directory-lock-source.ts';
import type { StateDirectory } from './state-directory.ts';

/**
 * Opens a directory for one agent alone, with files of mode 0600; it is made with mode 0700 where it is missing.
 *
 * Refuses, with `AgentError` ERR_AGENT_STATE, a directory that others may write to or own, and one that another agent
 * uses: two agents on one chain would look like a fork.
 */
export async function openStateDirectory(path: string): Promise<StateDirectory> {
  const directory = await openPrivate(path);
  const unlock = await lockDirectory(path).catch(async (error: unknown) => {
    await directory.close();
    throw error;
  });
  const appended = new AppendedFile();
  return {
    read: (name, maxBytes) => readFile(join(path, name), maxBytes),
    replace: (name, content) => replaceFile(path, directory, name, content),
    append: (name, content) => appended.append(join(path, name), content),
    rename: async (from, to) => {
      await rename(join(path, from), join(path, to));
      await directory.sync();
    },
    remove: async (name) => {
      await rm(join(path, name), { force: true });
      await directory.sync();
    },
    close: async () => {
      await appended.close();
      unlock();
      await directory.close();
    },
  };
}

async function openPrivate(path: string): Promise<FileHandle> {
  let directory: FileHandle;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new AgentError('ERR_AGENT_STATE', `the state directory ${path} cannot be opened: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const { mode, uid } = await directory.stat();
  if ((mode & 0o022) === 0 && uid === process.geteuid?.()) return directory;
  await directory.close();
  throw new AgentError(
    'ERR_AGENT_STATE',
    `the state directory ${path} must belong to the agent's user and be writable by nobody else (chmod 0700)`,
  );
}

async function readFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new AgentError('ERR_AGENT_STATE', `${path} cannot be read: ${reasonOf(error)}`, { cause: error });
  } finally {
    await file?.close();
  }
}

async function replaceFile(path: string, directory: FileHandle, name: string, content: Uint8Array): Promise<void> {
  const draft = join(path, `${name}.new`);
  await rm(draft, { force: true });
  await writeSynced(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, content);
  await rename(draft, join(path, name));
  await directory.sync();
}

async function writeSynced(path: string, flags: number, content: Uint8Array): Promise<void> {
  const file = await open(path, flags | constants.O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
