import { setTimeout as delay } from 'node:timers/promises';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import { createContainerdSource } from '../containerd/containerd-source.ts';
import { createScanner } from '../scan/create-scanner.ts';
import type { ContainerCollector, ContainerCollectorOptions } from './container-collector.ts';
import { ContainerInspector } from './container-inspector.ts';
import { createDirectoryWatch } from './directory-watch.ts';
import { createProcessSource } from './process-source.ts';
import { RuntimeCollector } from './runtime-collector.ts';

const DAY_MS = 86_400_000;

/** Creates the collector of one containerd. Nothing is opened before `start`. Throws `TypeError` for a relative address. */
export function createContainerCollector(options: ContainerCollectorOptions): ContainerCollector {
  const hostRoot = options.hostRoot ?? '/';
  const client = createContainerdClient({ address: options.address, selects: options.selects });
  const source = createContainerdSource({ client, namespaces: options.namespaces, hostRoot });
  const processes = createProcessSource(hostRoot);
  return new RuntimeCollector({
    source,
    scanner: createScanner(),
    inspector: new ContainerInspector({ source, processes, pause: (ms) => delay(ms) }),
    createWatch: createDirectoryWatch,
    clock: { monotonicMs: () => performance.now() },
    hostRoot,
    coalesceMs: options.coalesceMs ?? 50,
    pollMs: options.pollMs ?? 1_000,
    sweepMs: options.sweepMs ?? 30_000,
    scanTimeoutMs: options.scanTimeoutMs ?? 120_000,
    lowerCheckMs: options.lowerCheckMs ?? 300_000,
    scrubMs: options.scrubMs ?? DAY_MS,
  });
}
