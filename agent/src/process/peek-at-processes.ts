import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from './file-hasher.ts';

const MAX_GROUPS = 64;
/** Threads of one process that are tried. */
const MAX_THREADS = 256;
/** Controllers whose hierarchy names the container's group, where there is not one for all. */
const CONTROLLERS = ['pids', 'memory', 'cpu', 'name=systemd'];

/**
 * Reads what moves when something starts in a container, moves in it or is mounted: the processes of its cgroup, which
 * program each runs and in which mount namespace, and the mount table of the first. No file of the container is touched.
 */
export function peekAtProcesses(hostRoot: string, first: number): string {
  const proc = (pid: number | string, name: string) => join(hostRoot, 'proc', String(pid), name);
  const link = (pid: string, name: string) => attempt(() => readlinkSync(proc(pid, name), 'latin1')) ?? '';
  const pids = readGroup(hostRoot, attempt(() => readFileSync(proc(first, 'cgroup'), 'latin1')) ?? '') ?? [`${first}`];
  // Of a first thread that ended nothing is shown: what moves is seen by another one that goes on.
  const findReadable = (pid: string) => {
    if (link(pid, 'exe') !== '') return pid;
    const threads = attempt(() => readdirSync(proc(pid, 'task'))) ?? [];
    return threads.slice(0, MAX_THREADS).find((id) => link(id, 'exe') !== '') ?? pid;
  };
  const rows = pids.sort().map((pid) => {
    const id = findReadable(pid);
    return `${pid} ${link(id, 'exe')} ${link(id, 'ns/mnt')} ${link(id, 'root')}`;
  });
  const table = attempt(() => readFileSync(proc(findReadable(`${first}`), 'mountinfo'), 'latin1'));
  return `${rows.join('\n')}\n${table ?? ''}`;
}

/** The processes of a cgroup and those below; undefined where it cannot be found, or is everybody's. */
function readGroup(hostRoot: string, text: string): string[] | undefined {
  const directory = findGroup(text);
  if (directory === undefined) return undefined;
  const pids: string[] = [];
  const open = [join(hostRoot, 'sys/fs/cgroup', directory)];
  for (let at = 0; at < open.length && at < MAX_GROUPS; at += 1) {
    const group = open[at] ?? '';
    const own = attempt(() => readFileSync(join(group, 'cgroup.procs'), 'latin1'));
    if (own === undefined) return at === 0 ? undefined : pids;
    pids.push(...own.split('\n').filter((pid) => pid !== ''));
    const entries = attempt(() => readdirSync(group, { withFileTypes: true })) ?? [];
    open.push(...entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name)));
  }
  return pids;
}

function findGroup(text: string): string | undefined {
  const groups = text.split('\n').map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  for (const controller of [...CONTROLLERS, '']) {
    const path = groups.find((group) => group?.[1]?.split(',').includes(controller))?.[2];
    // A path that leads out of the reader's own group cannot be followed.
    if (path === undefined || path === '/' || path.startsWith('/..')) continue;
    return controller === '' ? path : join(controller.replace(/^name=/, ''), path);
  }
  return undefined;
}
