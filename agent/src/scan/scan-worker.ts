import { setReadDeadline } from '@holdfast/rootfs';
import { ContainerScans } from './scan-container.ts';
import type { WorkerReply, WorkerRequest } from './scan-protocol.ts';
import { serveRequests } from './serve-requests.ts';

/** Body of a worker thread or process that reads what containers consist of. */
const scans = new ContainerScans();

serveRequests(async (request: WorkerRequest): Promise<WorkerReply | null> => {
  switch (request.kind) {
    case 'scan':
      setReadDeadline(request.budgetMs);
      return scans.scan(request);
    case 'proof': {
      // What reads blobs is loaded where it is needed: each thread that loads it holds it once more.
      const { proveContainerLayer } = await import('./prove-container.ts');
      return await proveContainerLayer(request);
    }
    case 'forget':
      scans.forget(request.key);
      return null;
    case 'look':
    case 'peek':
      throw new TypeError('processes are looked at by another worker');
  }
});
