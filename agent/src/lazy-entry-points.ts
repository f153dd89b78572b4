import type { AgentConfig } from './config/agent-config.ts';
import type { ContainerCollector, ContainerCollectorOptions } from './container/container-collector.ts';
import type { DiagnosisOptions } from './doctor/diagnose-host.ts';
import type { HostCheck } from './doctor/host-check.ts';
import type { AgentDeps, RunningAgent } from './main.ts';

// What loads gRPC, the log and the TPM is loaded by its first call: an inventory of a directory needs none of them, and
// loading them would take it a third of its time.

/**
 * Starts one agent: loads or makes the TPM-resident keys, serves `EvidenceService`, dials the Verifier and begins rounds.
 *
 * Resolves once the keys are usable and the port listens; the Verifier need not be reachable. Start the process with
 * `--disable-sigusr1` (no inspector by signal) and a cleaned environment. Throws `AgentError`.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps = {}): Promise<RunningAgent> {
  const main = await import('./main.ts');
  return await main.startAgent(config, deps);
}

/** Creates the collector of one containerd. Nothing is opened before `start`. Throws `TypeError` for a relative address. */
export async function createContainerCollector(options: ContainerCollectorOptions): Promise<ContainerCollector> {
  const container = await import('./container/create-container-collector.ts');
  return container.createContainerCollector(options);
}

/**
 * Tries, one after the other and changing nothing, all that the agent needs of a machine: native parts, rights,
 * processes, TPM, runtime, file system, kernel. A facility that is missing is an answer and never an exception.
 */
export async function diagnoseHost(options: DiagnosisOptions): Promise<HostCheck[]> {
  const doctor = await import('./doctor/diagnose-host.ts');
  return await doctor.diagnoseHost(options);
}
