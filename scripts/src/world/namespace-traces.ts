import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';
const RUNC_STATE = '/run/containerd/runc';
/** Names that runtimes of the machine itself use: what stands under them is not ours to judge. */
const FOREIGN = new Set(['default', 'k8s.io', 'moby']);

/**
 * Removes what a containerd namespace of ours leaves outside the runtime's own directories once its containers are gone:
 * empty control groups in every hierarchy, and runc's empty state directory.
 */
export async function removeNamespaceTraces(namespace: string): Promise<void> {
  if (FOREIGN.has(namespace) || !/^[A-Za-z0-9._-]+$/.test(namespace) || namespace.startsWith('.')) return;
  const hierarchies = await readdir(CGROUPS, { withFileTypes: true }).catch(() => []);
  const roots = [
    CGROUPS,
    ...hierarchies.filter((entry) => entry.isDirectory()).map((entry) => join(CGROUPS, entry.name)),
  ];
  for (const root of roots) await removeEmptyTree(join(root, namespace));
  await rm(join(RUNC_STATE, namespace), { recursive: true, force: true });
}

/** Control groups go by rmdir, the innermost first; one that still has processes stays, and so do those above it. */
async function removeEmptyTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyTree(join(directory, entry.name));
  await rmdir(directory).catch(() => undefined);
}
