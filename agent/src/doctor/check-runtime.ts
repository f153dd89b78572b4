import type { containers } from '@holdfast/proto/containerd';
import { AgentError, type AgentErrorCode } from '../agent-error.ts';
import { KNOWN_SNAPSHOTTERS } from '../container/rootfs-resolver.ts';
import { KNOWN_RUNTIMES } from '../container/tracked-container.ts';
import type { ContainerdClient } from '../containerd/containerd-client.ts';
import { failed, type HostCheck, passed, weakened } from './host-check.ts';

type Runtime = Pick<ContainerdClient, 'address' | 'probe' | 'readRoots' | 'listNamespaces' | 'listContainers'>;

export interface RuntimeCheck {
  readonly checks: readonly HostCheck[];
  /** Where the runtime keeps its blobs, beside which its snapshots lie; undefined where it does not tell. */
  readonly contentRoot: string | undefined;
}

const FIXES: Partial<Record<AgentErrorCode, string>> = {
  ERR_AGENT_RUNTIME_ADDRESS: 'start containerd, or name its socket with --runtime; in a container, mount the socket',
  ERR_AGENT_RUNTIME_PERMISSION: 'run it as root or in the group that may use the socket',
  ERR_AGENT_RUNTIME_SERVICE: 'name the socket of containerd itself with --runtime',
  ERR_AGENT_RUNTIME_UNAVAILABLE: 'look at the log of containerd; restart it',
};

/** Names the kinds of containers that run here and that no evidence vouches for. */
function checkKinds(rows: readonly containers.Container[]): HostCheck[] {
  const runtimes = rows.map(({ runtime }) => runtime?.name ?? '').filter((name) => !KNOWN_RUNTIMES.has(name));
  const snapshotters = rows.map(({ snapshotter }) => snapshotter).filter((name) => !KNOWN_SNAPSHOTTERS.has(name));
  const names = [...new Set([...runtimes, ...snapshotters])].sort();
  if (names.length === 0) return [];
  const fix = 'use runc and the overlayfs snapshotter for containers that are to be vouched for';
  return [weakened('runtime.kinds', `containers of ${names.join(', ')} are told of as unsupported`, fix)];
}

/** Asks the runtime for its version, its namespaces and how many containers each holds. */
export async function checkRuntime(runtime: Runtime): Promise<RuntimeCheck> {
  const id = 'runtime';
  try {
    const { version } = await runtime.probe();
    const { content } = await runtime.readRoots();
    const namespaces = await runtime.listNamespaces();
    const lists = await Promise.all(namespaces.map((namespace) => runtime.listContainers(namespace)));
    const count = lists.reduce((sum, list) => sum + list.length, 0);
    const detail = `containerd ${version} answers at ${runtime.address} with ${count} containers in ${namespaces.length} namespaces`;
    return { checks: [passed(id, detail), ...checkKinds(lists.flat())], contentRoot: content };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const fix = FIXES[error.code] ?? 'look at the log of containerd';
    return { checks: [failed(id, error.message, fix)], contentRoot: undefined };
  }
}
