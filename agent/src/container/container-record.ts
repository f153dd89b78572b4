import { createHash } from 'node:crypto';
import type { ContainerClaims } from '@holdfast/evidence';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import type { containers } from '@holdfast/proto/containerd';
import { task } from '@holdfast/proto/containerd';
import { readMember, readString } from './json-value.ts';
import { type OciSpec, parseOciSpec } from './oci-spec.ts';

/** A container as the runtime lists it: the runtime's word. */
export interface ContainerRecord {
  /** Unique on the kube node; the name of its claims-set. */
  readonly key: string;
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly pod: ContainerClaims['pod'];
  readonly sandbox: boolean;
  readonly runtime: string;
  readonly started: string | null;
  readonly imageName: string;
  /** Config digest that the CRI noted when it made the container. */
  readonly criImage: string | undefined;
  readonly snapshotter: string;
  readonly snapshotKey: string;
  /** Undefined where it is missing or malformed. */
  readonly spec: OciSpec | undefined;
  /** Moves when the runtime's record does. */
  readonly revision: string;
  readonly task: ContainerTask | undefined;
  /** Its first process was restored from a checkpoint, as the runtime's events told; those before the agent's start did not. */
  readonly restored?: boolean;
  /** Made through the CRI, by the runtime's own note. */
  readonly isCri?: boolean;
  /** Undefined where no CRI was asked. */
  readonly cri?: CriFacts;
}

/** What the CRI as a second source says of a container. */
export interface CriFacts {
  /** How often it was made anew in its pod before; undefined where the CRI does not know it. */
  readonly attempt: number | undefined;
  /** Labels of its pod. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** In what it does not agree with the runtime's own record: names of limits. */
  readonly contradictions: readonly string[];
}

/** The container's first process. */
export interface ContainerTask {
  readonly pid: number;
  readonly status: 'running' | 'paused' | 'stopped';
  /** The runtime prepared it and waits for the word to start it: what runs so far is the runtime itself. */
  readonly isCreated?: boolean;
}

type Row = containers.Container;
type TaskRow = { readonly pid: number; readonly status: task.Status };

const CRI_METADATA = 'io.cri-containerd.container.metadata';
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_ID_CHARS = 128;
const CRI_LIMITS = { maxBytes: 4 << 20, maxDepth: 64, maxKeys: 100_000 };

/** Reads one row of the runtime's list, without its place among the others. */
export function readContainerRecord(
  namespace: string,
  row: Row,
  taskRow: TaskRow | undefined,
  parseSpec = parseOciSpec,
): ContainerRecord {
  const { labels } = row;
  const spec = readSpec(row, parseSpec);
  const [podName, podUid] = [labels['io.kubernetes.pod.name'], labels['io.kubernetes.pod.uid']];
  const podNamespace = labels['io.kubernetes.pod.namespace'];
  const hasPod = podName !== undefined && podUid !== undefined && podNamespace !== undefined;
  const kind = labels['io.cri-containerd.kind'] ?? spec?.annotations['io.kubernetes.cri.container-type'];
  return {
    key: row.id,
    id: row.id,
    namespace,
    name: labels['io.kubernetes.container.name'] ?? labels['nerdctl/name'] ?? row.id,
    pod: hasPod ? { namespace: podNamespace, name: podName, uid: podUid } : null,
    sandbox: kind === 'sandbox',
    runtime: row.runtime?.name ?? '',
    started: formatTime(row.createdAt),
    imageName: row.image,
    criImage: readCriImage(row),
    snapshotter: row.snapshotter,
    snapshotKey: row.snapshotKey,
    spec,
    revision: `${formatTime(row.createdAt)} ${formatTime(row.updatedAt)}`,
    task: taskRow === undefined ? undefined : readTask(taskRow),
    isCri: labels['io.cri-containerd.kind'] !== undefined,
  };
}

function readTask({ pid, status }: TaskRow): ContainerTask | undefined {
  switch (status) {
    case task.Status.RUNNING:
      return { pid, status: 'running' };
    case task.Status.PAUSED:
    case task.Status.PAUSING:
      return { pid, status: 'paused' };
    default:
      return { pid, status: 'stopped' };
  }
}

/**
 * Gives each record its own key. Containers of two namespaces may share an id: the one made first keeps it, the others
 * add their namespace after two underscores, which no id of the runtime can hold.
 */
export function assignKeys(records: readonly ContainerRecord[]): ContainerRecord[] {
  const taken = new Set<string>();
  const byAge = records.toSorted(
    (a, b) => compare(a.started ?? '', b.started ?? '') || compare(a.namespace, b.namespace),
  );
  return byAge.map((record) => {
    const key = taken.has(record.id) ? qualify(record) : record.id;
    taken.add(key);
    return { ...record, key };
  });
}

function qualify({ id, namespace }: ContainerRecord): string {
  const plain = `${id}__${namespace}`;
  if (plain.length <= MAX_ID_CHARS) return plain;
  return `${id.slice(0, 62)}__${createHash('sha256').update(plain).digest('hex')}`;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function readSpec({ spec }: Row, parse: (bytes: Uint8Array) => OciSpec): OciSpec | undefined {
  return spec === undefined ? undefined : ignoreMalformed(() => parse(spec.value));
}

/** The CRI plugin keeps its own record of each container beside containerd's, as JSON. */
function readCriImage({ extensions }: Row): string | undefined {
  const metadata = extensions[CRI_METADATA];
  if (metadata === undefined) return undefined;
  const value = ignoreMalformed(() => parseStrictJson(metadata.value, CRI_LIMITS));
  const image = readString(readMember(value, 'Metadata', 'ImageRef'));
  return image !== undefined && DIGEST.test(image) ? image : undefined;
}

function ignoreMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

function formatTime(time: { readonly seconds: bigint; readonly nanos: number } | undefined): string | null {
  if (time === undefined || time.seconds <= 0n || time.seconds > 253_402_300_799n) return null;
  const seconds = new Date(Number(time.seconds) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(time.nanos).padStart(9, '0')}Z`;
}
