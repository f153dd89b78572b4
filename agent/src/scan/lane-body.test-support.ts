import { parentPort, threadId } from 'node:worker_threads';
import { READY } from './lane-host.ts';
import type { WorkerRequest } from './scan-protocol.ts';

/** What a test's lane runs: the key of a request says how it ends. */
function handle({ id, request }: { id: number; request: WorkerRequest }): void {
  const key = 'key' in request ? request.key : '';
  if (key === 'loop') for (;;);
  if (key === 'exit') process.exit(1);
  if (key === 'fill') fillBySmallSteps();
  if (key === 'burst') fillAtOnce();
  const pid = `${process.pid}.${threadId}`;
  const answer = key === 'fail' ? { id, failure: { code: 'ERR_X', message: 'no' } } : { id, reply: { key, pid } };
  if (parentPort === null) process.send?.(answer);
  else parentPort.postMessage(answer);
}

function fillBySmallSteps(): never {
  const all: number[][] = [];
  for (;;) all.push(Array.from({ length: 1e6 }, () => 1.5));
}

/** A table that grows by doubling takes more in one step than V8 keeps in reserve for a thread that is to end. */
function fillAtOnce(): never {
  const all = new Map<string, object>();
  for (let at = 0; ; at += 1) all.set(`key ${at}`, { at });
}

if (parentPort === null) {
  process.on('message', handle);
  process.on('disconnect', () => process.exit(0));
  process.send?.(READY);
} else {
  parentPort.on('message', handle);
  parentPort.postMessage(READY);
}
