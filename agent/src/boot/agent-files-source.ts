import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentFile, type AgentFilesClaims, formatBytePath, toBytePath } from '@holdfast/evidence';

/** Where this process sees itself; a test gives it others. */
export interface OwnProcess {
  /** Directory of the build that runs: `dist/` or the checkout. */
  readonly root: string;
  /** `/proc/self`. */
  readonly proc: string;
  /** Path of the script that was started, as the command line has it; undefined where there is none. */
  readonly main: string | undefined;
}

const MAX_MODULES = 64;
const CHUNK_BYTES = 1024 * 1024;
const GONE = ' (deleted)';

/** The process of this agent. */
export function findOwnProcess(): OwnProcess {
  return { root: join(import.meta.dirname, '../../..'), proc: '/proc/self', main: process.argv[1] };
}

/**
 * Names and hashes what this agent runs: the program from its open image, the script that was started and the native
 * modules of the build that are mapped by now. Null where the process cannot look at itself.
 *
 * Paths are as IMA writes them: of the mount namespace of this process, without links.
 */
export async function collectAgentFiles({ root, proc, main }: OwnProcess): Promise<AgentFilesClaims | null> {
  try {
    const base = await realpath(root);
    const image = await readlink(join(proc, 'exe'));
    const maps = await readFile(join(proc, 'maps'), 'latin1');
    return {
      root: formatPath(base),
      executable: { path: formatPath(image), sha256: await hashFile(join(proc, 'exe')) },
      main: main === undefined ? null : await describe(await realpath(main)),
      modules: await Promise.all(listMappedModules(maps, base).slice(0, MAX_MODULES).map(describe)),
    };
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return null;
    throw error;
  }
}

/** Paths of native modules below a directory that are mapped executable, from /proc/PID/maps (proc(5)), sorted. */
export function listMappedModules(maps: string, root: string): string[] {
  const prefix = Buffer.from(`${root}/`).toString('latin1');
  const paths = maps.split('\n').flatMap((line) => {
    const path = /^\S+ ..x. \S+ \S+ \d+ +(\/.*\.node)$/.exec(line)?.[1];
    return path?.startsWith(prefix) === true ? [Buffer.from(path, 'latin1').toString()] : [];
  });
  return [...new Set(paths)].sort();
}

async function describe(path: string): Promise<AgentFile> {
  return { path: formatPath(path), sha256: await hashFile(path) };
}

function formatPath(path: string): string {
  return formatBytePath(toBytePath(path.endsWith(GONE) ? path.slice(0, -GONE.length) : path));
}

/** In pieces: Node's own program is more than 100 MB, and other work goes on meanwhile. */
async function hashFile(path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hasher.update(chunk);
  return hasher.digest('hex');
}
