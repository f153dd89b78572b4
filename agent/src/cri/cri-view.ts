import { type Container, ContainerState, type PodSandbox } from '@holdfast/proto/cri';
import { AgentError } from '../agent-error.ts';
import type { ContainerRecord, CriFacts } from '../container/container-record.ts';
import type { CriClient, CriDetail } from './cri-client.ts';

export interface CriViewDeps {
  readonly client: CriClient;
  readonly clock: { monotonicMs(): number };
  /** Containers that are looked at at all. */
  readonly selects: (id: string) => boolean;
}

/** Namespace of containerd that the CRI keeps its containers in. */
export const CRI_NAMESPACE = 'k8s.io';
/** The two lists are not made at one moment: what only one of them shows is a contradiction after this time. */
const SETTLE_MS = 3_000;
const MAX_LABELS = 64;
const LABEL_NAME = /^[A-Za-z0-9./_-]{1,317}$/;
/** Labels that Kubernetes adds by itself and that say nothing a policy could ask for. */
const OWN_LABELS =
  /^(io\.kubernetes\.|pod-template-|controller-revision-hash$|statefulset\.kubernetes\.io\/|batch\.kubernetes\.io\/|job-name$|controller-uid$)/;

/** What the CRI says of everything it knows, at one moment. */
interface CriLists {
  readonly containers: ReadonlyMap<string, Container>;
  readonly sandboxes: ReadonlyMap<string, PodSandbox>;
}

/**
 * The Kubernetes container runtime interface as a second source beside containerd's own list, which stays the one that
 * counts: it adds what containerd does not know, and names where the two do not agree.
 */
export class CriView {
  readonly #deps: CriViewDeps;
  readonly #details = new Map<string, { readonly state: string; readonly detail: CriDetail }>();
  readonly #missingSince = new Map<string, number>();
  #limits: readonly string[] = [];

  constructor(deps: CriViewDeps) {
    this.#deps = deps;
  }

  /** Containers that the CRI alone knows, as of the last `enrich`. */
  get limits(): readonly string[] {
    return this.#limits;
  }

  /** The same records; those of the CRI's own namespace with its facts. A CRI that does not answer is named in each. */
  async enrich(records: readonly ContainerRecord[]): Promise<ContainerRecord[]> {
    const lists = await this.#list();
    const ids = new Set(records.filter(isOfCri).map(({ id }) => id));
    const known = lists === undefined ? [] : [...lists.containers.keys(), ...lists.sandboxes.keys()];
    const only = known.filter((id) => !ids.has(id) && this.#deps.selects(id));
    this.#limits = this.#settle('cri', only).map((id) => `cri:unknown:${id}`.slice(0, 256));
    const missing = lists === undefined ? [] : records.filter((record) => isOfCri(record) && !isListed(record, lists));
    const settled = new Set(
      this.#settle(
        'containerd',
        missing.map(({ id }) => id),
      ),
    );
    for (const id of this.#details.keys()) if (!ids.has(id)) this.#details.delete(id);
    return await Promise.all(
      records.map(async (record) => {
        if (!isOfCri(record)) return record;
        const facts = lists === undefined ? UNAVAILABLE : await this.#read(record, lists, settled.has(record.id));
        return withFacts(record, facts);
      }),
    );
  }

  /** Whether there is a CRI at the socket; one that does not answer yet is there. */
  async isServed(): Promise<boolean> {
    return await this.#deps.client.isServed();
  }

  close(): void {
    this.#deps.client.close();
  }

  async #list(): Promise<CriLists | undefined> {
    const { client } = this.#deps;
    try {
      const [sandboxes, containers] = await Promise.all([client.listSandboxes(), client.listContainers()]);
      return {
        containers: new Map(containers.map((row) => [row.id, row])),
        sandboxes: new Map(sandboxes.map((row) => [row.id, row])),
      };
    } catch (error) {
      if (error instanceof AgentError) return undefined;
      throw error;
    }
  }

  async #read(record: ContainerRecord, lists: CriLists, isMissing: boolean): Promise<CriFacts> {
    const row = lists.containers.get(record.id);
    const sandbox = lists.sandboxes.get(row?.podSandboxId ?? record.id);
    const contradictions: string[] = isMissing ? ['cri:notListed'] : [];
    if (sandbox !== undefined && !agreesOnPod(record, sandbox)) contradictions.push('cri:pod');
    if (row !== undefined) contradictions.push(...(await this.#compare(record, row)));
    return {
      attempt: (row ?? sandbox)?.metadata?.attempt,
      labels: sandbox === undefined ? undefined : pickLabels(sandbox.labels),
      contradictions,
    };
  }

  async #compare(record: ContainerRecord, row: Container): Promise<string[]> {
    const contradictions: string[] = [];
    if (record.sandbox) contradictions.push('cri:kind');
    if (row.metadata !== undefined && row.metadata.name !== record.name) contradictions.push('cri:name');
    if (row.imageId !== '' && record.criImage !== undefined && row.imageId !== record.criImage)
      contradictions.push('cri:image');
    const detail = await this.#describe(row);
    if (detail === undefined) return [...contradictions, 'cri:status'];
    const { pid, snapshotKey, sandboxId } = detail;
    const isRunning =
      row.state === ContainerState.CONTAINER_RUNNING && record.task !== undefined && record.task.status !== 'stopped';
    if (isRunning && pid !== undefined && pid !== record.task?.pid) contradictions.push('cri:pid');
    if (snapshotKey !== undefined && snapshotKey !== record.snapshotKey) contradictions.push('cri:snapshotKey');
    if (sandboxId !== undefined && sandboxId !== row.podSandboxId) contradictions.push('cri:sandbox');
    return contradictions;
  }

  /** Asked once for each state of a container: the answer holds its whole specification. Undefined where there is none. */
  async #describe({ id, state, createdAt }: Container): Promise<CriDetail | undefined> {
    const key = `${state} ${createdAt}`;
    const known = this.#details.get(id);
    if (known?.state === key) return known.detail;
    try {
      const detail = await this.#deps.client.describe(id);
      this.#details.set(id, { state: key, detail });
      return detail;
    } catch (error) {
      if (error instanceof AgentError) return undefined;
      throw error;
    }
  }

  /** Of ids that one side alone shows, those that it has shown for a while. */
  #settle(side: string, ids: readonly string[]): string[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const wanted = new Set(ids.map((id) => `${side} ${id}`));
    for (const key of this.#missingSince.keys()) {
      if (key.startsWith(`${side} `) && !wanted.has(key)) this.#missingSince.delete(key);
    }
    for (const key of wanted) if (!this.#missingSince.has(key)) this.#missingSince.set(key, nowMs);
    return ids.filter((id) => nowMs - (this.#missingSince.get(`${side} ${id}`) ?? nowMs) >= SETTLE_MS).toSorted();
  }
}

const UNAVAILABLE: CriFacts = { attempt: undefined, labels: undefined, contradictions: ['cri:unavailable'] };

/** Made through the CRI, as containerd notes it. Others may lie in its namespace, and it does not show them. */
function isOfCri({ namespace, isCri }: ContainerRecord): boolean {
  return namespace === CRI_NAMESPACE && isCri === true;
}

function isListed({ id, sandbox }: ContainerRecord, { containers, sandboxes }: CriLists): boolean {
  return sandbox ? sandboxes.has(id) : containers.has(id);
}

function agreesOnPod({ pod }: ContainerRecord, { metadata }: PodSandbox): boolean {
  if (metadata === undefined || pod === null) return (metadata === undefined) === (pod === null);
  return metadata.namespace === pod.namespace && metadata.name === pod.name && metadata.uid === pod.uid;
}

/** The first by name; a value is at most 63 characters long by Kubernetes' own rule. */
function pickLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(labels).filter((name) => LABEL_NAME.test(name) && !OWN_LABELS.test(name));
  const pairs = names.toSorted().map((name): [string, string] => [name, labels[name] ?? '']);
  return Object.fromEntries(pairs.filter(([, value]) => value.length <= 63).slice(0, MAX_LABELS));
}

/** The revision moves with the facts, so that a change of them is told of. */
function withFacts(record: ContainerRecord, cri: CriFacts): ContainerRecord {
  return { ...record, cri, revision: `${record.revision} ${JSON.stringify(cri)}` };
}
