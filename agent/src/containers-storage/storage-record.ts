import { createHash } from 'node:crypto';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import type { ContainerRecord } from '../container/container-record.ts';
import { readMember, readString } from '../container/json-value.ts';
import { type OciSpec, parseOciSpec } from '../container/oci-spec.ts';
import type { StorageContainer } from './storage-documents.ts';
import type { StorageProcess } from './storage-processes.ts';

/** What the kernel shows of one container. */
export interface ShownContainer {
  readonly process: StorageProcess | undefined;
  /** Its root file system is mounted. */
  readonly isMounted: boolean;
}

/** What the store and the kernel say of one container. */
export interface StorageFacts extends ShownContainer {
  readonly namespace: string;
  readonly driver: string;
  readonly row: StorageContainer;
  /** The runtime specification that the container was started with, as bytes; undefined where there is none. */
  readonly config: Buffer | undefined;
}

const LABEL_LIMITS = { maxBytes: 4 << 20, maxDepth: 4, maxKeys: 10_000 };
const POD_LABELS = ['io.kubernetes.pod.namespace', 'io.kubernetes.pod.name', 'io.kubernetes.pod.uid'] as const;

/** Runtime of a container that nothing runs: no monitor is left to tell. */
const NO_RUNTIME = 'none';
/** Something runs it, or may, and nothing says what: no such container is ever clean. */
const UNKNOWN_RUNTIME = 'unknown';

/** Turns a row of the store into the record of a container. What podman and CRI-O know beyond it stands in annotations. */
export function createStorageRecord(facts: StorageFacts): ContainerRecord {
  const { namespace, driver, row, config, process } = facts;
  const spec = config === undefined ? undefined : readSpec(config);
  const notes = spec?.annotations ?? {};
  const labels = readLabels(notes['io.kubernetes.cri-o.Labels']);
  const [podNamespace, podName, podUid] = POD_LABELS.map((name) => notes[name] ?? labels[name]);
  const hasPod = podNamespace !== undefined && podName !== undefined && podUid !== undefined;
  const digest = createHash('sha256')
    .update(JSON.stringify(row))
    .update(config ?? '')
    .digest('hex');
  return {
    key: row.id,
    id: row.id,
    namespace,
    name: notes['io.kubernetes.container.name'] ?? labels['io.kubernetes.container.name'] ?? row.names[0] ?? row.id,
    pod: hasPod ? { namespace: podNamespace, name: podName, uid: podUid } : null,
    sandbox: notes['io.kubernetes.cri-o.ContainerType'] === 'sandbox',
    runtime: nameRuntime(facts),
    started: row.created,
    imageName: notes['io.kubernetes.cri-o.ImageName'] ?? row.imageName,
    criImage: row.image === '' ? undefined : `sha256:${row.image}`,
    snapshotter: driver,
    snapshotKey: row.layer,
    spec,
    revision: digest,
    task: process?.task,
  };
}

/** A root that is mounted although no process is known: the directory of what runs may be another than the settings say. */
export function nameRuntime({ process, isMounted }: ShownContainer): string {
  if (process !== undefined) return process.runtime ?? UNKNOWN_RUNTIME;
  return isMounted ? UNKNOWN_RUNTIME : NO_RUNTIME;
}

function readSpec(config: Buffer): OciSpec | undefined {
  return ignoreMalformed(() => parseOciSpec(config));
}

function readLabels(text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  const value = ignoreMalformed(() => parseStrictJson(text, LABEL_LIMITS));
  const names = [...POD_LABELS, 'io.kubernetes.container.name'];
  const pairs = names.flatMap((name) => {
    const label = readString(readMember(value, name));
    return label === undefined ? [] : [[name, label]];
  });
  return Object.fromEntries(pairs);
}

function ignoreMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
