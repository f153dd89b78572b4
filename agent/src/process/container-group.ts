import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readKernelFile } from '../host/kernel-file.ts';
import { attempt } from './file-hasher.ts';

/** The cgroup of one container, as the kernel shows it. */
export interface ContainerGroup {
  /** Every process of it and of the cgroups below. */
  readonly pids: readonly number[];
  /** CPU time that all of them used so far: equal texts say that none of them ran. Undefined where it is not told. */
  readonly usage: string | undefined;
}

interface Membership {
  /** Empty for the unified hierarchy. */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Cgroups below a container's own that are read. */
const MAX_GROUPS = 256;
/** Processes of one container that are read. */
const MAX_PIDS = 32_768;
/** Hierarchies that show the processes of a container, where there is not one for all. */
const CONTROLLERS = ['pids', 'memory', 'cpu', 'name=systemd'];

interface GroupPlace {
  /** Of the hierarchy that shows its processes. */
  readonly processes: string;
  /** Of the one that accounts for their CPU time. */
  readonly account: string | undefined;
}

const MAX_KNOWN = 4_096;
const MAX_ACCOUNT_BYTES = 16 * 1024;

/** Reads cgroups of containers, which their first processes lead to, and remembers where they were found and in what state. */
export class ContainerGroups {
  readonly #hostRoot: string;
  readonly #known = new Map<string, { readonly place: GroupPlace; readonly group: ContainerGroup }>();

  constructor(hostRoot: string) {
    this.#hostRoot = hostRoot;
  }

  /**
   * The cgroup is the topmost one on the first process's path that the specification's `cgroupsPath` names, since a process
   * may have gone into one below. Undefined where there is none such, it cannot be read from here, or there are too many
   * below or in it. Where no time was used since the last call its answer is given again: what is started takes some. Reads the
   * kernel's memory only: nothing that a container does holds it up.
   */
  read(first: number, cgroupsPath: string): ContainerGroup | undefined {
    const key = `${first} ${cgroupsPath}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      const usage = readUsage(known.place.account);
      if (usage !== undefined && usage === known.group.usage) return known.group;
    }
    this.#known.delete(key);
    const place = known?.place ?? findPlace(this.#hostRoot, first, cgroupsPath);
    const group = place && readGroup(place, first);
    if (place === undefined || group === undefined)
      return known === undefined ? undefined : this.read(first, cgroupsPath);
    const oldest = this.#known.size < MAX_KNOWN ? undefined : this.#known.keys().next().value;
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, { place, group });
    return group;
  }
}

function readGroup({ processes, account }: GroupPlace, first: number): ContainerGroup | undefined {
  // Before the processes: one that is started in between is told by the next account.
  const usage = readUsage(account);
  const pids = listProcesses(processes);
  // A number that another process has by now is in another cgroup.
  if (pids?.includes(first) !== true) return undefined;
  // Hierarchies of their own can be left one by one.
  const isAccounted = account === processes || (account !== undefined && holdsAll(account, pids));
  return { pids, usage: isAccounted ? usage : undefined };
}

function holdsAll(directory: string, pids: readonly number[]): boolean {
  const held = new Set(listProcesses(directory));
  return pids.every((pid) => held.has(pid));
}

function findPlace(hostRoot: string, first: number, cgroupsPath: string): GroupPlace | undefined {
  const memberships = readMemberships(hostRoot, first);
  const processes = findDirectory(hostRoot, memberships, CONTROLLERS, cgroupsPath);
  const account = findDirectory(hostRoot, memberships, ['cpuacct'], cgroupsPath);
  return processes === undefined ? undefined : { processes, account };
}

function readMemberships(hostRoot: string, pid: number): Membership[] {
  const text = attempt(() => readFileSync(join(hostRoot, 'proc', String(pid), 'cgroup'), 'latin1')) ?? '';
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    // A path that leads out of the reader's own cgroup cannot be followed.
    if (controllers === undefined || path === undefined || path.split('/').includes('..')) return [];
    return [{ controllers: controllers === '' ? [] : controllers.split(','), path }];
  });
}

function findDirectory(
  hostRoot: string,
  memberships: readonly Membership[],
  controllers: readonly string[],
  cgroupsPath: string,
): string | undefined {
  for (const controller of controllers) {
    const found = memberships.find((membership) => membership.controllers.includes(controller));
    const group = found && findNamed(found.path, cgroupsPath);
    if (group !== undefined) return join(hostRoot, 'sys/fs/cgroup', controller.replace(/^name=/, ''), group);
  }
  const unified = memberships.find((membership) => membership.controllers.length === 0);
  const group = unified && findNamed(unified.path, cgroupsPath);
  if (group === undefined) return undefined;
  const places = ['sys/fs/cgroup', 'sys/fs/cgroup/unified'].map((place) => join(hostRoot, place, group));
  return places.find((place) => attempt(() => statSync(place)) !== undefined);
}

/**
 * The shortest beginning of a path that ends in what `cgroupsPath` asks for: `SLICE:PREFIX:NAME` is a unit of systemd, all
 * else a path (opencontainers/runc, docs/systemd.md).
 */
export function findNamed(path: string, cgroupsPath: string): string | undefined {
  const unit = /^[^:]*:([^:]*):([^:]+)$/.exec(cgroupsPath);
  const [, prefix = '', name = ''] = unit ?? [];
  const wanted =
    unit === null ? join('/', cgroupsPath) : `/${name.endsWith('.slice') ? name : formatScope(prefix, name)}`;
  if (wanted === '/') return undefined;
  const at = `${path}/`.indexOf(`${wanted}/`);
  return at === -1 ? undefined : path.slice(0, at + wanted.length);
}

function formatScope(prefix: string, name: string): string {
  return prefix === '' ? `${name}.scope` : `${prefix}-${name}.scope`;
}

function listProcesses(top: string): number[] | undefined {
  const pids: number[] = [];
  const open = [top];
  for (let at = 0; at < open.length; at += 1) {
    const group = open[at] ?? '';
    if (at >= MAX_GROUPS) return undefined;
    const own = attempt(() => readFileSync(join(group, 'cgroup.procs'), 'latin1'));
    // One below may go meanwhile.
    if (own === undefined && at === 0) return undefined;
    for (const line of (own ?? '').split('\n')) if (line !== '') pids.push(Number(line));
    if (pids.length > MAX_PIDS) return undefined;
    open.push(...listBelow(group));
  }
  return pids;
}

function listBelow(group: string): string[] {
  // A directory of this file system has two links and one for each below.
  if (attempt(() => statSync(group))?.nlink === 2) return [];
  const entries = attempt(() => readdirSync(group, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
}

function readUsage(directory: string | undefined): string | undefined {
  if (directory === undefined) return undefined;
  // Only the older hierarchy has it, and to be refused costs more than to ask.
  const older = join(directory, 'cpuacct.usage');
  const own = existsSync(older) ? readKernelFile(older, MAX_ACCOUNT_BYTES) : undefined;
  if (own !== undefined) return own.toString('latin1');
  const stat = readKernelFile(join(directory, 'cpu.stat'), MAX_ACCOUNT_BYTES);
  return /^usage_usec \d+$/m.exec(stat?.toString('latin1') ?? '')?.[0];
}
