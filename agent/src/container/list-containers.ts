import type { ContainerdClient } from '../containerd/containerd-client.ts';
import { assignKeys, type ContainerRecord, readContainerRecord } from './container-record.ts';
import type { OciSpecs } from './oci-spec.ts';

/** The parts of the runtime that tell which containers there are. */
export type ContainerStore = Pick<ContainerdClient, 'listNamespaces' | 'listContainers' | 'listTasks'>;

/**
 * Lists every container of every namespace, or of those named, running or not, sandboxes among them; the oldest first.
 * Throws `AgentError` when the runtime does not answer for one of them: half a list would look like exits.
 */
export async function listContainers(
  store: ContainerStore,
  only: readonly string[] | undefined,
  specs: OciSpecs,
): Promise<ContainerRecord[]> {
  const existing = await store.listNamespaces();
  const namespaces = only === undefined ? existing : existing.filter((name) => only.includes(name));
  const records: ContainerRecord[] = [];
  for (const namespace of namespaces) {
    const rows = await store.listContainers(namespace);
    const tasks = new Map((await store.listTasks(namespace)).map((row) => [row.id || row.containerId, row]));
    records.push(
      ...rows.map((row) => readContainerRecord(namespace, row, tasks.get(row.id), (bytes) => specs.parse(bytes))),
    );
  }
  specs.endList();
  return assignKeys(records);
}
