import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLivingThread } from '../process/proc-stat.ts';
import { type MountInfo, parseMountinfo } from './mountinfo.ts';

/** What the kernel shows of a process. */
export interface ProcessView {
  /** Mount table. Undefined where the process is gone; throws the kernel's error where it lives and shows none. */
  readMountinfo(pid: number): Promise<MountInfo[] | undefined>;
}

/** Threads of one process that are tried. */
const MAX_THREADS = 4_096;

/** Reads /proc of the host, whose root directory this process sees at `hostRoot`. */
export function createProcessSource(hostRoot: string): ProcessView {
  return {
    readMountinfo: async (pid) => {
      const bytes = await readMountTable(join(hostRoot, 'proc'), pid);
      return bytes === undefined ? undefined : parseMountinfo(bytes);
    },
  };
}

/** By its first thread; where that one ended, by another one that goes on. */
async function readMountTable(proc: string, pid: number): Promise<Buffer | undefined> {
  const first = await readThread(proc, pid);
  if (first.bytes !== undefined) return first.bytes;
  const names = await readdir(join(proc, `${pid}/task`)).catch(ignoreGone);
  const others = (names ?? []).map(Number).filter((id) => id !== pid);
  let refusal = first.refusal;
  for (const id of others.slice(0, MAX_THREADS)) {
    const thread = await readThread(proc, id);
    if (thread.bytes !== undefined) return thread.bytes;
    refusal ??= thread.refusal;
  }
  if (others.length > MAX_THREADS) refusal ??= first.error;
  if (refusal !== undefined) throw refusal;
  return undefined;
}

interface ThreadTable {
  readonly bytes?: Buffer;
  readonly error?: Error;
  /** The error, where the thread lives all the same. */
  readonly refusal?: Error | undefined;
}

async function readThread(proc: string, id: number): Promise<ThreadTable> {
  try {
    return { bytes: await readFile(join(proc, `${id}/mountinfo`)) };
  } catch (error) {
    ignoreGone(error);
    if (!(error instanceof Error)) throw error;
    // Asked after the refusal: whoever lives now lived then.
    const stat = await readFile(join(proc, `${id}/stat`), 'latin1').catch(ignoreGone);
    return { error, refusal: isLivingThread(stat ?? '') ? error : undefined };
  }
}

/** Passes on what says more than that a process went away. EINVAL is said of the mount table of one that is ending. */
function ignoreGone(error: unknown): undefined {
  const isGone = error instanceof Error && 'code' in error && GONE.has(String(error.code));
  if (!isGone) throw error;
}

const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EINVAL']);
