import { parentPort } from 'node:worker_threads';
import { lowerThreadPriority, RootfsError, setReadDeadline } from '@holdfast/rootfs';
import { READY } from './lane-host.ts';
import type { WorkerAnswer, WorkerReply, WorkerRequest } from './scan-protocol.ts';

/**
 * Makes this thread or process the worker of a lane: it takes one request after the other. A failure is an answer, so that
 * it goes on. A process is for what takes long: it has the disk when nobody else wants it, and ends with the process that
 * started it.
 */
export function serveRequests(handle: (request: WorkerRequest) => Promise<WorkerReply | null>): void {
  const onRequest = ({ id, request }: { id: number; request: WorkerRequest }): void => {
    void answer(id, () => handle(request)).then((message) => {
      if (parentPort === null) process.send?.(message);
      else parentPort.postMessage(message);
    });
  };
  lowerPriority();
  if (parentPort === null) {
    process.on('message', onRequest);
    process.on('disconnect', () => process.exit(0));
    process.send?.(READY);
  } else {
    parentPort.on('message', onRequest);
    parentPort.postMessage(READY);
  }
}

async function answer(id: number, handle: () => Promise<WorkerReply | null>): Promise<WorkerAnswer> {
  try {
    return { id, reply: await handle() };
  } catch (error) {
    return { id, failure: describeFailure(error) };
  } finally {
    setReadDeadline(undefined);
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
