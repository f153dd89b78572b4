import { parentPort } from 'node:worker_threads';
import { lowerThreadPriority, RootfsError, setReadDeadline } from '@holdfast/rootfs';
import { ProcessLooks } from '../process/process-looks.ts';
import { READY } from './lane-host.ts';
import { proveContainerLayer } from './prove-container.ts';
import { ContainerScans } from './scan-container.ts';
import type { WorkerAnswer, WorkerReply, WorkerRequest } from './scan-protocol.ts';

/**
 * Body of a worker thread or process: takes one request after the other. A failure is an answer, so that the worker goes on.
 * A process is for what takes long: it has the disk when nobody else wants it, and ends with the process that started it.
 */
const scans = new ContainerScans();
const looks = new ProcessLooks();

function onRequest({ id, request }: { id: number; request: WorkerRequest }): void {
  void answer(id, request).then((message) => {
    if (parentPort === null) process.send?.(message);
    else parentPort.postMessage(message);
  });
}

async function answer(id: number, request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    return { id, reply: await handle(request) };
  } catch (error) {
    return { id, failure: describeFailure(error) };
  } finally {
    setReadDeadline(undefined);
  }
}

async function handle(request: WorkerRequest): Promise<WorkerReply | null> {
  switch (request.kind) {
    case 'scan':
      setReadDeadline(request.budgetMs);
      return scans.scan(request);
    case 'proof':
      return await proveContainerLayer(request);
    case 'look':
      return looks.look(request);
    case 'peek':
      return looks.peek(request);
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

function lowerPriority(): void {
  try {
    lowerThreadPriority(parentPort === null ? 'idle' : 'low');
  } catch (error) {
    // Where it is forbidden the scans run as everything else does.
    if (!(error instanceof RootfsError)) throw error;
  }
}

lowerPriority();
if (parentPort === null) {
  process.on('message', onRequest);
  process.on('disconnect', () => process.exit(0));
  process.send?.(READY);
} else {
  parentPort.on('message', onRequest);
  parentPort.postMessage(READY);
}
