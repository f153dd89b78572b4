import { AgentError, type AgentErrorCode } from '../agent-error.ts';
import type { StorageFiles, StoragePaths } from '../containers-storage/storage-files.ts';
import { STORAGE_DRIVERS, StorageStore } from '../containers-storage/storage-store.ts';
import { failed, type HostCheck, passed, skipped, weakened } from './host-check.ts';

/** Where podman and CRI-O keep the containers of root unless their settings say otherwise. */
const USUAL_STORE: StoragePaths = { root: '/var/lib/containers/storage', runRoot: '/run/containers/storage' };
const ID = 'runtime.storage';
const FIXES: Partial<Record<AgentErrorCode, string>> = {
  ERR_AGENT_RUNTIME_PERMISSION: 'run it as root',
  ERR_AGENT_RUNTIME_DATA: 'let podman or CRI-O check it, such as by podman system check',
};

/**
 * Looks at the store of podman and CRI-O: the one that the settings name, or without one whether the usual place holds
 * containers that the agent is not told to look at.
 */
export async function checkStorage(files: StorageFiles, paths: StoragePaths | undefined): Promise<HostCheck> {
  const { root, runRoot } = paths ?? USUAL_STORE;
  try {
    if ((await files.stamp(root)) === undefined) return describeAbsence(root, paths !== undefined);
    const store = new StorageStore(files, { root, runRoot });
    const counts = await Promise.all(
      STORAGE_DRIVERS.map(async (driver) => (await store.listContainers(driver)).length),
    );
    const others = STORAGE_DRIVERS.slice(1).filter((_driver, at) => (counts[at + 1] ?? 0) > 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const detail = `${root} holds ${total} containers of podman or CRI-O`;
    if (paths === undefined) return describeUnasked(detail, total);
    if (others.length === 0) return passed(ID, detail);
    const fix = 'let the store use the driver overlay';
    return weakened(ID, `${detail}, some of them kept by ${others.join(', ')}, which is not read`, fix);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return failed(ID, error.message, FIXES[error.code] ?? 'look at the store with podman info');
  }
}

function describeAbsence(root: string, isAsked: boolean): HostCheck {
  if (!isAsked) return skipped(ID, 'no store of podman or CRI-O was asked for, and none is in the usual place');
  return failed(ID, `there is no container store at ${root}`, 'name the graphRoot and runRoot that podman info shows');
}

function describeUnasked(detail: string, total: number): HostCheck {
  if (total === 0) return skipped(ID, `no store of podman or CRI-O was asked for; ${detail}`);
  const fix = 'set runtime.containersStorage in the settings of the agent';
  return weakened(ID, `${detail}, and the agent is not told to look at them`, fix);
}
