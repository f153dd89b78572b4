import { setImmediate } from 'node:timers/promises';
import type { InjectionClaims } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { ContainerGroup } from '../process/container-group.ts';
import { type LookReply, NO_GROUP } from '../process/look-protocol.ts';
import type { ProcessLooker } from '../process/process-looker.ts';
import type { ContainerRecord } from './container-record.ts';
import type { RuntimeSource } from './runtime-source.ts';
import type { TrackedContainer } from './tracked-container.ts';

export interface RunningLooksDeps {
  readonly looker: ProcessLooker;
  readonly source: Pick<RuntimeSource, 'listPids'>;
  readonly clock: { monotonicMs(): number };
  toHostPath(directory: string): string;
  /** Its claims-set tells something else now; `areMounts` where mounts are among it. */
  onChange(container: TrackedContainer, areMounts: boolean): void;
  after(ms: number, call: () => void): void;
}

/** A container's processes are looked at again after this time if any of them ran, and whatever was seen to move. */
const LOOK_AGE_MS = 25_000;
/** After this time they are looked at although none of them ran. */
const REST_AGE_MS = 300_000;
/** What may be the runtime on its way has settled by then. */
const UNSETTLED_MS = 2_100;
/** A look that did not get through goes on after this time. */
const UNFINISHED_MS = 1_000;

/** Containers whose cgroups are read in one turn of the event loop. */
const AT_ONCE = 10;

interface Moved {
  readonly container: TrackedContainer;
  /** As `CgroupStates`. */
  readonly cgroup: ContainerGroup | undefined;
  readonly pids: readonly number[];
  readonly isDue: boolean;
}

/** Looks at what runs in containers: one look at a time each, and another one after it where something moved meanwhile. */
export class RunningLooks {
  readonly #deps: RunningLooksDeps;
  readonly #busy = new Map<TrackedContainer, 'once' | 'again'>();
  #isPeeking = false;

  constructor(deps: RunningLooksDeps) {
    this.#deps = deps;
  }

  /** Looks now, or once more when the look under way is done. */
  async look(container: TrackedContainer): Promise<void> {
    if (this.#busy.has(container)) {
      this.#busy.set(container, 'again');
      return;
    }
    do {
      this.#busy.set(container, 'once');
      await this.#lookOnce(container);
    } while (this.#busy.get(container) === 'again');
    this.#busy.delete(container);
  }

  /** Looks at those in which something moved since they were looked at, or that were not for a while. */
  async peek(containers: Iterable<TrackedContainer>): Promise<void> {
    if (this.#isPeeking) return;
    this.#isPeeking = true;
    try {
      const moved = await this.#findMoved([...containers].filter((each) => readDevice(each) !== undefined));
      const asked = moved.map(({ container, pids }) => ({ pid: container.record.task?.pid ?? 0, pids }));
      const signatures = moved.length === 0 ? [] : await this.#deps.looker.peek(asked);
      moved.forEach(({ container, cgroup, isDue }, at) => {
        const { running: state } = container;
        state.cgroup.peeked = cgroup;
        if (signatures[at] === state.signature && !isDue) return;
        state.signature = signatures[at];
        state.cgroup.looked = cgroup;
        void this.look(container);
      });
    } catch (error) {
      // The looks themselves tell of what keeps them from it.
      if (!(error instanceof AgentError)) throw error;
    } finally {
      this.#isPeeking = false;
    }
  }

  /** Those of which something ran since the last time, by the kernel's account of their cgroup, or that are due anyway. */
  async #findMoved(containers: readonly TrackedContainer[]): Promise<Moved[]> {
    const moved: Moved[] = [];
    const nowMs = this.#deps.clock.monotonicMs();
    // Those at rest are looked at together, so that the worker rests too.
    const isRestOver = containers.some(({ running }) => nowMs - running.seenMs >= REST_AGE_MS);
    const restMs = isRestOver ? REST_AGE_MS / 2 : REST_AGE_MS;
    for (const [at, container] of containers.entries()) {
      if (at % AT_ONCE === 0) await setImmediate();
      const { seenMs, cgroup: known } = container.running;
      const { pids, cgroup } = this.#readCgroup(container.record);
      known.now = cgroup;
      const ageMs = nowMs - seenMs;
      const hasRun = (since: ContainerGroup | undefined) => cgroup === undefined || cgroup !== since;
      const isDue = ageMs >= restMs || (ageMs >= LOOK_AGE_MS && hasRun(known.looked));
      if (isDue || hasRun(known.peeked)) moved.push({ container, cgroup, isDue, pids });
    }
    return moved;
  }

  #readCgroup(record: ContainerRecord): Pick<Moved, 'pids' | 'cgroup'> {
    const [first, cgroupsPath] = [record.task?.pid ?? 0, readCgroupsPath(record)];
    const group = cgroupsPath === null ? undefined : this.#deps.looker.readGroup(first, cgroupsPath);
    return { pids: group?.pids ?? [first], cgroup: group?.usage === undefined ? undefined : group };
  }

  async #lookOnce(container: TrackedContainer): Promise<void> {
    const { record, rootfs, running } = container;
    const device = readDevice(container);
    if (record.task === undefined || rootfs === undefined || device === undefined) return;
    const task = describeTask(record);
    running.seenMs = this.#deps.clock.monotonicMs();
    const executed = running.takeExecuted();
    try {
      const reply = await this.#askFor(record, {
        pid: record.task.pid,
        isCreated: record.task.isCreated === true,
        cgroupsPath: readCgroupsPath(record),
        device,
        lowers: rootfs.lowers.map((lower) => this.#deps.toHostPath(lower)),
        upper: rootfs.upper === undefined ? null : this.#deps.toHostPath(rootfs.upper),
        executed,
      });
      if (describeTask(container.record) === task) this.#apply(container, reply);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (running.fail(`failed:${error.code}`, executed)) this.#deps.onChange(container, false);
    }
  }

  /** The runtime starts a program for its answer: it is asked only where the kernel does not tell. */
  async #askFor(
    record: ContainerRecord,
    asked: Omit<Parameters<ProcessLooker['look']>[0], 'pids'>,
  ): Promise<LookReply> {
    const { looker, source } = this.#deps;
    const outcome = await looker.look({ ...asked, pids: null }, record.key);
    if (outcome !== NO_GROUP) return outcome;
    const told = await looker.look({ ...asked, pids: await source.listPids(record) }, record.key);
    if (told === NO_GROUP) throw new TypeError('a look at known processes needs no cgroup');
    return told;
  }

  #apply(container: TrackedContainer, reply: LookReply): void {
    const { running } = container;
    const mountsBefore = JSON.stringify(running.mounts);
    const isChanged = running.apply(reply, (variable) => classify(container, variable));
    if (isChanged) this.#deps.onChange(container, JSON.stringify(running.mounts) !== mountsBefore);
    if (reply.isUnsettled) this.#deps.after(UNSETTLED_MS, () => void this.look(container));
    if (reply.limits.includes('time')) this.#deps.after(UNFINISHED_MS, () => void this.look(container));
  }
}

/** Device of the overlay of a container whose processes can be looked at. */
function readDevice({ isRunning, isSupported, rootMount, record, running }: TrackedContainer): string | undefined {
  if (!isRunning || !isSupported) return undefined;
  running.begin(describeTask(record));
  if (rootMount !== undefined) running.device = `${rootMount.devMajor}:${rootMount.devMinor}`;
  return running.device;
}

function readCgroupsPath({ spec }: ContainerRecord): string | null {
  return spec?.cgroupsPath ?? null;
}

function describeTask({ task, snapshotKey }: ContainerRecord): string {
  return `${task?.pid} ${snapshotKey}`;
}

function classify(
  { record, image }: TrackedContainer,
  { name, value }: { readonly name: string; readonly value: string },
): InjectionClaims['from'] {
  const line = `${name}=${value}`;
  if (image?.image?.config.env.includes(line) === true) return 'image';
  return record.spec?.env.includes(line) === true ? 'pod' : 'process';
}
