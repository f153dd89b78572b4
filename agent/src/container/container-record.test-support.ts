import type { ContainerRecord } from './container-record.ts';
import { parseOciSpec } from './oci-spec.ts';

/** A container of containerd that runs, as a runtime tells of it, but for what a test says of it. */
export function createRecord(told: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    key: 'c',
    id: 'c',
    namespace: 'n',
    name: 'app',
    pod: null,
    sandbox: false,
    runtime: 'io.containerd.runc.v2',
    started: null,
    imageName: 'i',
    criImage: undefined,
    snapshotter: 'overlayfs',
    snapshotKey: 'c',
    spec: parseOciSpec(Buffer.from('{"process":{"args":["a"]}}')),
    revision: '',
    task: { pid: 7, status: 'running' },
    ...told,
  };
}
