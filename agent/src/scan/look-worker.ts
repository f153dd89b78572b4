import { ProcessLooks } from '../process/process-looks.ts';
import type { WorkerReply, WorkerRequest } from './scan-protocol.ts';
import { serveRequests } from './serve-requests.ts';

/** Body of a worker thread that looks at processes, and loads nothing else. */
const looks = new ProcessLooks();

serveRequests(async (request: WorkerRequest): Promise<WorkerReply | null> => {
  if (request.kind === 'look') return looks.look(request);
  if (request.kind === 'peek') return looks.peek(request);
  throw new TypeError('containers are scanned by another worker');
});
