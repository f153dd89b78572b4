import { AgentError } from '../agent-error.ts';
import type { ContainerTask } from '../container/container-record.ts';
import type { StorageFiles } from './storage-files.ts';

/** What runs in a container, by the runtime's files and the kernel's word for them. */
export interface StorageProcess {
  readonly task: ContainerTask;
  /** Program that made the container, such as `runc`, as its monitor was told; undefined where no monitor tells. */
  readonly runtime: string | undefined;
}

const MAX_SMALL_BYTES = 64 * 1024;
const MAX_PIDS_BYTES = 4 << 20;
const MAX_CGROUPS = 10_000;
/** Where they keep it for podman and CRI-O, unless these are told otherwise. */
const RUNTIME_ROOTS = ['/run/runc', '/run/crun'];
const PID = /^[1-9]\d{0,9}$/;

/**
 * Finds the first process of a container: the number that the monitor wrote, if that process is in a cgroup of this
 * container now; the number alone may be somebody else's. Undefined where nothing runs.
 */
export async function findProcess(
  files: StorageFiles,
  userdata: string,
  id: string,
): Promise<StorageProcess | undefined> {
  const pid = await readPid(files, `${userdata}/pidfile`);
  const cgroups = pid === undefined ? [] : await readCgroups(files, pid);
  if (pid === undefined || !cgroups.some(({ path }) => path.includes(id))) return undefined;
  const isPaused = await isFrozen(files, cgroups);
  const task: ContainerTask = { pid, status: isPaused ? 'paused' : 'running' };
  const runtime = await readRuntime(files, userdata);
  return { task: (await isCreated(files, id)) ? { ...task, isCreated: true } : task, runtime };
}

/**
 * Every process of the container's cgroup, which one of its processes leads to, and of those below it. Undefined where no
 * hierarchy shows that cgroup. Throws `AgentError` where there are more cgroups than a container has.
 */
export async function listCgroupPids(files: StorageFiles, pid: number, id: string): Promise<number[] | undefined> {
  for (const cgroup of await readCgroups(files, pid)) {
    if (!cgroup.path.includes(id)) continue;
    const parts = cgroup.path.split('/');
    const path = parts.slice(0, parts.findIndex((part) => part.includes(id)) + 1).join('/');
    for (const directory of listMounts({ ...cgroup, path })) {
      const pids = await readPids(files, directory);
      if (pids !== undefined) return [...pids, ...(await listPidsBelow(files, directory))];
    }
  }
  return undefined;
}

async function listPidsBelow(files: StorageFiles, top: string): Promise<number[]> {
  const pids: number[] = [];
  const queue = [top];
  for (let at = 0; at < queue.length; at += 1) {
    if (at > MAX_CGROUPS) {
      throw new AgentError('ERR_AGENT_RUNTIME_DATA', `a container has more than ${MAX_CGROUPS} cgroups`);
    }
    for (const name of await files.listDirectories(queue[at] ?? '')) {
      const below = `${queue[at]}/${name}`;
      queue.push(below);
      pids.push(...((await readPids(files, below)) ?? []));
    }
  }
  return pids;
}

async function readPids(files: StorageFiles, directory: string): Promise<number[] | undefined> {
  const bytes = await files.read(`${directory}/cgroup.procs`, MAX_PIDS_BYTES);
  const lines = bytes?.toString('latin1').split('\n');
  return lines?.filter((line) => PID.test(line)).map(Number);
}

interface Cgroup {
  /** Empty for the unified hierarchy. */
  readonly controllers: string;
  readonly path: string;
}

async function readCgroups(files: StorageFiles, pid: number): Promise<Cgroup[]> {
  const text = (await files.read(`/proc/${pid}/cgroup`, MAX_SMALL_BYTES))?.toString('latin1') ?? '';
  return text.split('\n').flatMap((line) => {
    const [, controllers, ...path] = line.split(':');
    const isPlain = controllers !== undefined && path.length > 0 && !path.join(':').split('/').includes('..');
    return isPlain ? [{ controllers, path: path.join(':') }] : [];
  });
}

function listMounts({ controllers, path }: Cgroup): string[] {
  const mounts = controllers === '' ? ['', '/unified'] : [`/${controllers.replace(/^name=/, '')}`];
  return mounts.map((mount) => `/sys/fs/cgroup${mount}${path}`);
}

async function isFrozen(files: StorageFiles, cgroups: readonly Cgroup[]): Promise<boolean> {
  for (const cgroup of cgroups) {
    const isUnified = cgroup.controllers === '';
    if (!isUnified && cgroup.controllers !== 'freezer') continue;
    for (const directory of listMounts(cgroup)) {
      const name = isUnified ? 'cgroup.freeze' : 'freezer.state';
      const state = (await files.read(`${directory}/${name}`, 64))?.toString('latin1').trim();
      if (state === '1' || state === 'FROZEN') return true;
    }
  }
  return false;
}

/** runc and crun keep a FIFO beside their state until the container is started. */
async function isCreated(files: StorageFiles, id: string): Promise<boolean> {
  const stamps = await Promise.all(RUNTIME_ROOTS.map((root) => files.stamp(`${root}/${id}/exec.fifo`)));
  return stamps.some((stamp) => stamp !== undefined);
}

/** conmon is started with the path of the runtime after `-r`. */
async function readRuntime(files: StorageFiles, userdata: string): Promise<string | undefined> {
  const pid = await readPid(files, `${userdata}/conmon.pid`);
  const cmdline = pid === undefined ? undefined : await readOrNothing(files, `/proc/${pid}/cmdline`, MAX_SMALL_BYTES);
  const args = cmdline?.toString('latin1').split('\0') ?? [];
  if (args[0]?.split('/').at(-1) !== 'conmon') return undefined;
  const at = args.findIndex((arg) => arg === '-r' || arg === '--runtime');
  return at === -1 ? undefined : args[at + 1]?.split('/').at(-1);
}

/** One container whose file is not usable must not take the list from the others. */
export async function readOrNothing(files: StorageFiles, path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    return await files.read(path, maxBytes);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'ERR_AGENT_RUNTIME_DATA') return undefined;
    throw error;
  }
}

async function readPid(files: StorageFiles, path: string): Promise<number | undefined> {
  const text = (await files.read(path, 64))?.toString('latin1').trim() ?? '';
  return PID.test(text) ? Number(text) : undefined;
}
