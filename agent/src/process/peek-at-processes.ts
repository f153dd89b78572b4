import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from './file-hasher.ts';

/** Threads of one process that are tried. */
const MAX_THREADS = 256;
/** A look names the limit `processes` above so many: beyond it nothing good is said of the container anyway. */
const MAX_PROCESSES = 4_096;

/**
 * Reads what moves when something starts in a container, moves in it or is mounted: its processes, which program each runs
 * and in which mount namespace, and the mount table of the first. Equal texts say that nothing was seen to change. No file
 * of the container is touched.
 */
export function peekAtProcesses(hostRoot: string, first: number, pids: readonly number[]): string {
  const proc = (pid: number, name: string) => join(hostRoot, 'proc', String(pid), name);
  const link = (pid: number, name: string) => attempt(() => readlinkSync(proc(pid, name), 'latin1')) ?? '';
  // Of a first thread that ended nothing is shown: what moves is seen by another one that goes on.
  const findReadable = (pid: number) => {
    if (link(pid, 'exe') !== '') return pid;
    const threads = attempt(() => readdirSync(proc(pid, 'task')).map(Number)) ?? [];
    return threads.slice(0, MAX_THREADS).find((id) => link(id, 'exe') !== '') ?? pid;
  };
  const rows = pids
    .toSorted((a, b) => a - b)
    .slice(0, MAX_PROCESSES)
    .map((pid) => {
      const id = findReadable(pid);
      return `${pid} ${link(id, 'exe')} ${link(id, 'ns/mnt')} ${link(id, 'root')}`;
    });
  const table = attempt(() => readFileSync(proc(findReadable(first), 'mountinfo'), 'latin1'));
  return createHash('sha256')
    .update(`${rows.join('\n')}\n${table ?? ''}`)
    .digest('base64');
}
