import { EvidenceError } from '@holdfast/evidence/documents';
import { type MountInfo, parseMountinfo } from '../container/mountinfo.ts';
import { formatForeignPath } from '../container/path-format.ts';
import type { CodeLocator, CodeReference, LocatedCode } from './code-locator.ts';
import type { LookReply, LookRequest } from './look-protocol.ts';
import { LookRows } from './look-rows.ts';
import { makeDevice } from './make-device.ts';
import { findPreloads } from './preload-variables.ts';
import { isAnonymous, isKernelCode, type MapRegion, parseMaps } from './proc-maps.ts';
import { type ProcessStat, parseProcessStat } from './proc-stat.ts';
import type { HeldFile, LayerFiles, ProcBytes, ProcessFiles } from './process-files.ts';
import { type ProcessEntry, readNamespace, readProcess } from './process-threads.ts';
import { listOutsiders } from './process-tree.ts';
import type { RuntimeGuard } from './runtime-guard.ts';

export interface LookDeps {
  readonly request: Omit<LookRequest, 'pids'> & { readonly pids: readonly number[] };
  readonly files: ProcessFiles;
  readonly layers: Pick<LayerFiles, 'inodeOf'>;
  readonly locator: Pick<CodeLocator, 'locate' | 'locateExecuted' | 'findOnUpper'>;
  readonly guard: Pick<RuntimeGuard, 'judge'>;
  /** `performance.now()` value after which the look ends with the limit `time`. */
  readonly deadlineMs: number;
}

/** A thread and the mount namespace that it is in. */
type MountView = Pick<ProcessEntry, 'id' | 'namespace'>;

const MAX_PROCESSES = 4_096;
/** How often a process is looked at that becomes another program each time. */
const MAX_ATTEMPTS = 3;

/**
 * Looks at every process of a container's cgroup: what it runs and maps, where that lies, who brought it about, which root
 * directory and mounts it sees. A process that goes meanwhile is left out; a limit that is hit is named. Throws nothing on
 * what processes do.
 */
export function lookAtProcesses(deps: LookDeps): LookReply {
  return new ProcessLook(deps).run();
}

class ProcessLook {
  readonly #deps: LookDeps;
  readonly #rows = new LookRows();
  readonly #stats = new Map<number, ProcessStat>();
  /** Mounts by mount namespace, then by id. */
  readonly #mounts = new Map<string, Map<number, MountInfo>>();
  /** What was located in this look already, and what was found to be written to, by `describeRegion`. */
  readonly #located = new Map<string, LocatedCode>();
  readonly #restless = new Set<string>();
  /** The first process's mount namespace, and a thread that is in it. */
  readonly #own: { readonly id: number; readonly namespace: string } | undefined;

  constructor(deps: LookDeps) {
    this.#deps = deps;
    const own = readNamespace(deps.files, deps.request.pid);
    if (own === 'hidden') this.#rows.addLimit('unreadable');
    this.#own = typeof own === 'string' ? undefined : own;
  }

  run(): LookReply {
    const { request, locator, deadlineMs } = this.#deps;
    for (const path of request.executed) {
      const code = locator.locateExecuted(path);
      if (code === undefined) this.#rows.addTransient(path);
      else this.#rows.addCode(code, 'program');
    }
    const pids = [...new Set([request.pid, ...request.pids])];
    if (pids.length > MAX_PROCESSES) this.#rows.addLimit('processes');
    for (const pid of pids.slice(0, MAX_PROCESSES)) this.#readStat(pid);
    const outsiders = this.#findOutsiders();
    for (const [pid, stat] of this.#stats) {
      if (performance.now() > deadlineMs) {
        this.#rows.addLimit('time');
        break;
      }
      this.#lookAt(pid, stat, outsiders.has(pid));
    }
    return this.#rows.finish();
  }

  #readStat(pid: number): void {
    const stat = parseProcessStat(this.#deps.files.readStat(pid) ?? '');
    if (stat !== undefined) this.#stats.set(pid, stat);
  }

  #findOutsiders(): Set<number> {
    const { files, request } = this.#deps;
    return listOutsiders({
      first: request.pid,
      stats: this.#stats,
      adopts: (parent, child) => {
        const namespace = files.readPidNamespace(child);
        return (
          namespace !== undefined && namespace === files.readPidNamespace(parent) && files.readInnerPid(parent) === 1
        );
      },
    });
  }

  /** False where nothing could be looked at. */
  #lookAt(pid: number, stat: ProcessStat, isOutsider: boolean, attempt = 1): boolean {
    const { files, locator } = this.#deps;
    const process = readProcess(files, pid);
    if (process === 'hidden') this.#rows.addLimit('unreadable');
    if (typeof process === 'string') return false;
    const { maps, path } = process;
    if (maps.isCut) this.#rows.addLimit('maps');
    const regions = parseMaps(maps.bytes);
    const own = regions.find((region) => region.path === path && region.isExecutable);
    const program =
      own === undefined
        ? this.#hold(process, 'program', own, (reference) => locator.locate(reference))
        : this.#locate(process, own, true);
    if (program === undefined) {
      if (readProcess(files, pid) !== 'gone') this.#rows.addLimit('unreadable');
      return false;
    }
    const judged = this.#judge(pid, stat, process, program);
    if (judged === 'unsettled') this.#rows.isUnsettled = true;
    if (judged !== 'inside') {
      this.#checkRuntime(process, program, regions);
      return true;
    }
    this.#rows.addCode(program, 'program');
    if (isOutsider) this.#rows.addExecuted(program, stat.hasTerminal);
    this.#checkSurroundings(process, program);
    this.#checkMaps(process, program, regions, false);
    const environment = files.readEnvironment(process.id);
    const now = files.readProgram(process.id);
    // It may be that of what the process became meanwhile, which is looked at then. Of one that never rests, or is gone, it
    // counts as it is.
    const isOther = now !== undefined && now !== process.path && attempt < MAX_ATTEMPTS;
    if (!isOther || !this.#lookAt(pid, stat, isOutsider, attempt + 1)) this.#checkEnvironment(program, environment);
    return true;
  }

  #judge(pid: number, { startTime }: ProcessStat, { id }: ProcessEntry, program: LocatedCode) {
    const { request, files, guard } = this.#deps;
    const command = files.readCommand(id) ?? '';
    const isCreated = request.isCreated && pid === request.pid;
    return guard.judge({ pid, startTime, program, command, container: request.pid, isCreated });
  }

  /** It is on its way into the container, so where it stands says nothing; what it maps of the container does. */
  #checkRuntime(process: ProcessEntry, program: LocatedCode, regions: readonly MapRegion[]): void {
    const environment = this.#deps.files.readEnvironment(process.id);
    if (this.#deps.files.readProgram(process.id) !== process.path) {
      // All this may be of what it became meanwhile.
      this.#rows.isUnsettled = true;
      return;
    }
    this.#checkMaps(process, program, regions, true);
    this.#checkEnvironment(program, environment);
  }

  #checkSurroundings(process: ProcessEntry, program: LocatedCode): void {
    if (this.#own !== undefined && process.namespace !== this.#own.namespace) {
      this.#rows.addForeign(program, 'otherMounts');
      this.#addOtherMounts(process, this.#own);
    } else if (!this.#hasOwnRoot(process.id)) {
      this.#rows.addForeign(program, 'otherRoot');
    }
  }

  #hasOwnRoot(pid: number): boolean {
    const { files, layers, request } = this.#deps;
    const root = files.statRoot(pid);
    if (root === undefined) return true;
    const [major = 0, minor = 0] = request.device.split(':').map(Number);
    const directories = [request.upper, ...request.lowers].filter((directory) => directory !== null);
    return root.dev === makeDevice(major, minor) && directories.some((each) => layers.inodeOf(each) === root.ino);
  }

  /** Those that its namespace has over the same root file system and the container's own does not. */
  #addOtherMounts(process: MountView, first: MountView): void {
    const own = this.#mountsOf(first);
    const other = [...this.#mountsOf(process).values()];
    const root = other.findLast(({ mountPoint }) => mountPoint === '/');
    if (root === undefined || `${root.devMajor}:${root.devMinor}` !== this.#deps.request.device) return;
    const known = new Set([...own.values()].map(describeMount));
    for (const mount of other) {
      if (mount.mountPoint !== '/' && !known.has(describeMount(mount))) this.#rows.addMount(mount);
    }
  }

  #checkMaps(process: ProcessEntry, program: LocatedCode, regions: readonly MapRegion[], isRuntime: boolean): void {
    for (const region of regions) {
      if (region.isSharedWritable) this.#checkRestless(process, region);
      if (!region.isExecutable || isKernelCode(region) || region.path === process.path) continue;
      if (isAnonymous(region)) {
        this.#rows.addAnonymous(program);
        continue;
      }
      const code = this.#locate(process, region);
      // The runtime brings libraries of the host along.
      if (code !== undefined && !(isRuntime && code.origin === 'host')) this.#rows.addCode(code, 'mapped');
    }
  }

  /** Stores into such a mapping raise no event and move no time: the file is to be read again whenever it is looked at. */
  #checkRestless(process: ProcessEntry, region: MapRegion): void {
    const key = describeRegion(process.namespace, region);
    if (this.#restless.has(key)) return;
    this.#restless.add(key);
    const found = this.#hold(process, region, region, (reference) => this.#deps.locator.findOnUpper(reference));
    if (found?.path !== undefined) this.#rows.addRestless(found.path);
    if (found?.limit !== undefined) this.#rows.addLimit(formatForeignPath(found.limit));
  }

  #checkEnvironment(program: LocatedCode, environment: ProcBytes | undefined): void {
    if (environment?.isCut === true) this.#rows.addLimit('environment');
    for (const variable of findPreloads(environment?.bytes.toString('latin1') ?? '')) {
      this.#rows.addInjected(program, variable);
    }
  }

  /** Located once a look, however many processes share it. Undefined where the process or mapping went meanwhile. */
  #locate(process: ProcessEntry, region: MapRegion, isProgram = false): LocatedCode | undefined {
    const key = describeRegion(process.namespace, region);
    const known = this.#located.get(key);
    if (known !== undefined) return known;
    const what = isProgram ? 'program' : region;
    const code = this.#hold(process, what, region, (reference) => this.#deps.locator.locate(reference));
    if (code !== undefined) this.#located.set(key, code);
    return code;
  }

  #hold<T>(
    process: ProcessEntry,
    what: 'program' | MapRegion,
    region: MapRegion | undefined,
    use: (reference: CodeReference) => T,
  ): T | undefined {
    const file = this.#deps.files.hold(process.id, what);
    if (file === undefined) return undefined;
    try {
      const mounts = this.#findMounts(process, file);
      return use({ file, device: region?.device, mounts, isRestless: region?.isSharedWritable === true });
    } finally {
      file.close();
    }
  }

  /** A process that changed its root sees a part of the table only, or nothing: others of its namespace may see more. */
  #findMounts(process: MountView, { mountId }: HeldFile): ReadonlyMap<number, MountInfo> {
    const mounts = this.#mountsOf(process);
    if (!mounts.has(mountId)) this.#addMounts(mounts, process.id);
    return mounts;
  }

  #mountsOf({ id, namespace }: MountView): Map<number, MountInfo> {
    const known = this.#mounts.get(namespace);
    if (known !== undefined) return known;
    const mounts = new Map<number, MountInfo>();
    this.#mounts.set(namespace, mounts);
    this.#addMounts(mounts, id);
    return mounts;
  }

  #addMounts(mounts: Map<number, MountInfo>, id: number): void {
    try {
      for (const mount of parseMountinfo(this.#deps.files.readMountinfo(id) ?? Buffer.alloc(0))) {
        if (!mounts.has(mount.id)) mounts.set(mount.id, mount);
      }
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.#rows.addLimit('mountinfo');
    }
  }
}

function describeMount({ devMajor, devMinor, root, mountPoint }: MountInfo): string {
  return JSON.stringify([devMajor, devMinor, root, mountPoint]);
}

function describeRegion(namespace: string, { device, inode, isSharedWritable, path }: MapRegion): string {
  return `${namespace} ${device} ${inode} ${isSharedWritable} ${path}`;
}
