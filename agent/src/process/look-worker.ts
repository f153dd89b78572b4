import { parentPort } from 'node:worker_threads';
import type { LookReply, LookRequest, PeekReply, PeekRequest } from './look-protocol.ts';
import { ProcessLooks } from './process-looks.ts';

/** Body of a worker thread: takes one request after the other. A failure is an answer, so that the thread goes on. */
if (parentPort === null) throw new TypeError('this file runs in a worker thread');
const port = parentPort;
const looks = new ProcessLooks();

port.on('message', ({ id, request }: { id: number; request: LookRequest | PeekRequest }) => {
  try {
    port.postMessage({ id, reply: answer(request) });
  } catch (error) {
    port.postMessage({ id, failure: String(error) });
  }
});

function answer(request: LookRequest | PeekRequest): LookReply | PeekReply {
  return request.kind === 'look' ? looks.look(request) : looks.peek(request);
}
