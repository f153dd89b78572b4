import { join } from 'node:path';
import type { RootfsCapabilities } from '@holdfast/rootfs';
import type { TpmConfig } from '../config/agent-config.ts';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import type { StoragePaths } from '../containers-storage/storage-files.ts';
import { createStorageFiles } from '../containers-storage/storage-files-source.ts';
import { createCriClient } from '../cri/cri-client.ts';
import { createHostFiles } from '../host/host-files-source.ts';
import { openTpmDevice } from '../tpm/tpm-device-source.ts';
import { checkCri } from './check-cri.ts';
import { checkFileSystem } from './check-file-system.ts';
import { checkKernel } from './check-kernel.ts';
import { checkPermissions, checkProcesses } from './check-permissions.ts';
import { checkRuntime } from './check-runtime.ts';
import { checkStorage } from './check-storage.ts';
import { checkTpm } from './check-tpm.ts';
import { failed, type HostCheck, skipped } from './host-check.ts';

export interface DiagnosisOptions {
  /** The TPM as for the agent; `none` asks for none. */
  readonly tpm: Pick<TpmConfig, 'tcti'> | 'none';
  /** containerd's socket, a store of podman or CRI-O, or both; null asks for no runtime. */
  readonly runtime: RuntimePlaces | null;
  readonly hostRoot: string;
}

/** Where runtimes are found. */
interface RuntimePlaces {
  readonly address?: string;
  readonly containersStorage?: StoragePaths;
}

/**
 * Tries, one after the other and changing nothing, all that the agent needs of a machine: native parts, rights,
 * processes, TPM, runtime, file system, kernel. A facility that is missing is an answer and never an exception.
 */
export async function diagnoseHost(options: DiagnosisOptions): Promise<HostCheck[]> {
  const { hostRoot } = options;
  const files = createHostFiles(hostRoot);
  const own = createHostFiles('/');
  const runtime = await diagnoseRuntime(options);
  return [
    checkPermissions(own),
    checkProcesses(files),
    ...(await diagnoseTpm(options)),
    ...runtime.checks,
    ...(await diagnoseFileSystem(join(hostRoot, runtime.contentRoot ?? '/'))),
    ...checkKernel(files),
  ];
}

async function diagnoseTpm({ tpm }: DiagnosisOptions): Promise<HostCheck[]> {
  if (tpm === 'none') return [skipped('tpm', 'no TPM was asked for: every result says so')];
  return await checkTpm(() => openTpmDevice({ tcti: tpm.tcti, ekTemplate: 'L-1', exclusive: false }), tpm.tcti);
}

const NO_SOCKET = 'no containerd was asked for';

async function diagnoseRuntime({ runtime, hostRoot }: DiagnosisOptions) {
  if (runtime === null) return { checks: [skipped('runtime', 'no runtime was asked for')], contentRoot: undefined };
  const { address, containersStorage } = runtime;
  const storage = await checkStorage(createStorageFiles(hostRoot), containersStorage);
  const storeRoot = containersStorage?.root;
  if (address === undefined) return { checks: [skipped('runtime', NO_SOCKET), storage], contentRoot: storeRoot };
  const [client, cri] = [createContainerdClient({ address }), createCriClient(address)];
  try {
    const { checks, contentRoot } = await checkRuntime(client);
    const answers = contentRoot === undefined ? [] : [await checkCri(cri, address)];
    return { checks: [...checks, ...answers, storage], contentRoot: contentRoot ?? storeRoot };
  } finally {
    client.close();
    cri.close();
  }
}

async function diagnoseFileSystem(path: string): Promise<HostCheck[]> {
  let found: RootfsCapabilities;
  try {
    const { capabilities } = await import('@holdfast/rootfs');
    found = capabilities(path);
  } catch (error) {
    const fix = 'scripts/prepare apt build && scripts/prepare native';
    return [failed('native.rootfs', error instanceof Error ? error.message : String(error), fix)];
  }
  return checkFileSystem(found);
}
