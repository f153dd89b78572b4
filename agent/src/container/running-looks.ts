import type { InjectionClaims } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { LookReply } from '../process/look-protocol.ts';
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

/** Every container's processes are looked at again after this time, whatever was seen to move. */
const LOOK_AGE_MS = 25_000;
/** What may be the runtime on its way has settled by then. */
const UNSETTLED_MS = 2_100;
/** A look that did not get through goes on after this time. */
const UNFINISHED_MS = 1_000;

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
      const running = [...containers].filter((container) => readDevice(container) !== undefined);
      const pids = running.map(({ record }) => record.task?.pid ?? 0);
      const signatures = running.length === 0 ? [] : await this.#deps.looker.peek(pids);
      const nowMs = this.#deps.clock.monotonicMs();
      running.forEach((container, at) => {
        const { running: state } = container;
        if (signatures[at] === state.signature && nowMs - state.seenMs < LOOK_AGE_MS) return;
        state.signature = signatures[at];
        void this.look(container);
      });
    } catch (error) {
      // The looks themselves tell of what keeps them from it.
      if (!(error instanceof AgentError)) throw error;
    } finally {
      this.#isPeeking = false;
    }
  }

  async #lookOnce(container: TrackedContainer): Promise<void> {
    const { record, rootfs, running } = container;
    const device = readDevice(container);
    if (record.task === undefined || rootfs === undefined || device === undefined) return;
    const task = describeTask(record);
    running.seenMs = this.#deps.clock.monotonicMs();
    const executed = running.takeExecuted();
    try {
      const reply = await this.#deps.looker.look(
        {
          pid: record.task.pid,
          isCreated: record.task.isCreated === true,
          pids: await this.#deps.source.listPids(record),
          device,
          lowers: rootfs.lowers.map((lower) => this.#deps.toHostPath(lower)),
          upper: rootfs.upper === undefined ? null : this.#deps.toHostPath(rootfs.upper),
          executed,
        },
        record.key,
      );
      if (describeTask(container.record) === task) this.#apply(container, reply);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (running.fail(`failed:${error.code}`, executed)) this.#deps.onChange(container, false);
    }
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
function readDevice({ isRunning, unsupported, rootMount, record, running }: TrackedContainer): string | undefined {
  if (!isRunning || unsupported.length > 0) return undefined;
  running.begin(describeTask(record));
  if (rootMount !== undefined) running.device = `${rootMount.devMajor}:${rootMount.devMinor}`;
  return running.device;
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
