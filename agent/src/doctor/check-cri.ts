import { AgentError } from '../agent-error.ts';
import type { CriClient } from '../cri/cri-client.ts';
import { type HostCheck, passed, skipped, weakened } from './host-check.ts';

const ID = 'runtime.cri';

/** Asks the Kubernetes container runtime interface, the second source for what is known of pods. */
export async function checkCri(
  client: Pick<CriClient, 'isServed' | 'listContainers' | 'listSandboxes'>,
  address: string,
): Promise<HostCheck> {
  if (!(await client.isServed()))
    return skipped(ID, `no CRI is served at ${address}: what is known of pods is containerd's`);
  try {
    const [sandboxes, containers] = await Promise.all([client.listSandboxes(), client.listContainers()]);
    return passed(ID, `the CRI answers at ${address} with ${containers.length} containers in ${sandboxes.length} pods`);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const fix = 'look at the log of containerd; its containers are undecided until the CRI answers';
    return weakened(ID, `the CRI at ${address} does not answer: ${error.message}`, fix);
  }
}
