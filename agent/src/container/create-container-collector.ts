import { setTimeout as delay } from 'node:timers/promises';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import { createScanner } from '../scan/create-scanner.ts';
import type { ContainerCollector, ContainerCollectorOptions } from './container-collector.ts';
import { ContainerInspector } from './container-inspector.ts';
import { createDirectoryWatch } from './directory-watch.ts';
import { createProcessSource } from './process-source.ts';
import { RuntimeCollector } from './runtime-collector.ts';

const DAY_MS = 86_400_000;

/** Creates the collector of one containerd. Nothing is opened before `start`. Throws `TypeError` for a relative address. */
export function createContainerCollector(options: ContainerCollectorOptions): ContainerCollector {
  const client = createContainerdClient({ address: options.address, selects: options.selects });
  const processes = createProcessSource(options.hostRoot ?? '/');
  return new RuntimeCollector({
    client,
    scanner: createScanner(),
    inspector: new ContainerInspector({ client, processes, pause: (ms) => delay(ms) }),
    createWatch: createDirectoryWatch,
    clock: { monotonicMs: () => performance.now() },
    namespaces: options.namespaces,
    hostRoot: options.hostRoot ?? '/',
    coalesceMs: options.coalesceMs ?? 50,
    pollMs: options.pollMs ?? 1_000,
    sweepMs: options.sweepMs ?? 30_000,
    scanTimeoutMs: options.scanTimeoutMs ?? 120_000,
    lowerCheckMs: options.lowerCheckMs ?? 300_000,
    scrubMs: options.scrubMs ?? DAY_MS,
  });
}
