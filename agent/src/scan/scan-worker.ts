import { parentPort } from 'node:worker_threads';
import { proveContainerLayer } from './prove-container.ts';
import { ContainerScans } from './scan-container.ts';
import type { ProofReply, ScanReply, WorkerAnswer, WorkerRequest } from './scan-protocol.ts';

/** Body of a worker thread: takes one request after the other. A failure is an answer, so that the thread goes on. */
if (parentPort === null) throw new TypeError('this file runs in a worker thread');
const port = parentPort;
const scans = new ContainerScans();

port.on('message', ({ id, request }: { id: number; request: WorkerRequest }) => {
  void answer(id, request).then((message) => port.postMessage(message));
});

async function answer(id: number, request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    return { id, reply: await handle(request) };
  } catch (error) {
    return { id, failure: describeFailure(error) };
  }
}

async function handle(request: WorkerRequest): Promise<ScanReply | ProofReply | null> {
  switch (request.kind) {
    case 'scan':
      return scans.scan(request);
    case 'proof':
      return await proveContainerLayer(request);
    case 'forget':
      scans.forget(request.key);
      return null;
  }
}

function describeFailure(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { code, message: error.message };
}
