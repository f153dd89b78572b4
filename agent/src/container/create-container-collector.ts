import { createContainerdClient } from '../containerd/containerd-client.ts';
import { createContainerdSource } from '../containerd/containerd-source.ts';
import { createStorageFiles } from '../containers-storage/storage-files-source.ts';
import { createStorageSource, formatStorageNamespace } from '../containers-storage/storage-source.ts';
import { createCriClient } from '../cri/cri-client.ts';
import { CriView } from '../cri/cri-view.ts';
import { createProcessLooker } from '../process/process-looker.ts';
import { createScanner } from '../scan/create-scanner.ts';
import { combineSources, type SourcePart } from './combine-sources.ts';
import type { ContainerCollector, ContainerCollectorOptions } from './container-collector.ts';
import { ContainerInspector } from './container-inspector.ts';
import { createDirectoryWatch } from './directory-watch.ts';
import { createProcessSource } from './process-source.ts';
import { RuntimeCollector } from './runtime-collector.ts';
import type { RuntimeSource } from './runtime-source.ts';

const CLOCK = { monotonicMs: () => performance.now() };
const DAY_MS = 86_400_000;

/**
 * Creates the collector of one machine's runtimes. Nothing is opened before `start`. Throws `TypeError` for a relative
 * address and where no runtime is named.
 */
export function createContainerCollector(options: ContainerCollectorOptions): ContainerCollector {
  const hostRoot = options.hostRoot ?? '/';
  const source = createSource(options, hostRoot);
  const processes = createProcessSource(hostRoot);
  const scanner = createScanner();
  return new RuntimeCollector({
    source,
    scanner,
    inspector: new ContainerInspector({ source, processes }),
    looker: createProcessLooker(scanner, hostRoot),
    createWatch: createDirectoryWatch,
    clock: { monotonicMs: () => performance.now() },
    hostRoot,
    coalesceMs: options.coalesceMs ?? 50,
    pollMs: options.pollMs ?? 1_000,
    peekMs: options.peekMs ?? 5_000,
    sweepMs: options.sweepMs ?? 30_000,
    scanTimeoutMs: options.scanTimeoutMs ?? 120_000,
    lowerCheckMs: options.lowerCheckMs ?? 300_000,
    scrubMs: options.scrubMs ?? DAY_MS,
    areConfirmed: options.areConfirmed ?? false,
  });
}

function createSource(options: ContainerCollectorOptions, hostRoot: string): RuntimeSource {
  const { address, namespaces, selects, containersStorage: paths } = options;
  const parts: SourcePart[] = [];
  if (paths !== undefined) {
    const own = formatStorageNamespace(paths);
    const source = createStorageSource({
      files: createStorageFiles(hostRoot),
      paths,
      selects: selects ?? (() => true),
    });
    parts.push({ source, owns: (namespace) => namespace === own });
  }
  if (address !== undefined) {
    const client = createContainerdClient({ address, selects });
    const createCri = () =>
      new CriView({ client: createCriClient(address), clock: CLOCK, selects: selects ?? (() => true) });
    parts.push({ source: createContainerdSource({ client, namespaces, hostRoot, createCri }), owns: () => true });
  }
  if (parts.length === 0) throw new TypeError('a collector needs a runtime');
  return combineSources(parts);
}
