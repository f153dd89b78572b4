import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { readScanFailure } from './create-scanner.ts';
import { WorkerLane } from './worker-lane.ts';

const BODY = `
import { parentPort, threadId } from 'node:worker_threads';
parentPort.on('message', ({ id, request }) => {
  if (request.key === 'loop') for (;;);
  if (request.key === 'exit') process.exit(1);
  if (request.key === 'fill') { const all = []; for (;;) all.push(new Array(1e6).fill(1.5)); }
  if (request.key === 'fail') return parentPort.postMessage({ id, failure: { code: 'ERR_X', message: 'no' } });
  parentPort.postMessage({ id, reply: { key: request.key, threadId } });
});`;

const lanes: WorkerLane[] = [];

function openLane(idleMs?: number): WorkerLane {
  const module = new URL(`data:text/javascript,${encodeURIComponent(BODY)}`);
  const lane = new WorkerLane(idleMs === undefined ? { module, maxHeapMb: 32 } : { module, maxHeapMb: 32, idleMs });
  lanes.push(lane);
  return lane;
}

afterEach(async () => {
  for (const lane of lanes.splice(0)) await lane.close();
});

const forget = (key: string) => () => ({ kind: 'forget' as const, key });
const failure = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AgentError);
  assert.equal(error.code, 'ERR_AGENT_SCAN');
  return readScanFailure(error);
};
const keyOf = (reply: unknown) =>
  typeof reply === 'object' && reply !== null && 'key' in reply ? reply.key : undefined;

test('requests are answered in their order by one thread', async () => {
  const lane = openLane();
  const replies = await Promise.all(['a', 'b', 'c'].map((key) => lane.run(forget(key), 5_000)));
  assert.deepEqual(replies.map(keyOf), ['a', 'b', 'c']);
  assert.deepEqual(new Set(replies.map((reply) => JSON.stringify({ ...Object(reply), key: '' }))).size, 1);
});

test('a request that outstays its time fails alone, and the next gets a new thread', async () => {
  const lane = openLane();
  const [loop, next] = [lane.run(forget('loop'), 50), lane.run(forget('next'), 5_000)];
  assert.equal(await failure(loop), 'time');
  assert.equal(keyOf(await next), 'next');
});

test('a request that ends its thread fails alone', async () => {
  const lane = openLane();
  const [exit, next] = [lane.run(forget('exit'), 5_000), lane.run(forget('next'), 5_000)];
  assert.equal(await failure(exit), 'memory');
  assert.equal(keyOf(await next), 'next');
});

test('a request that fills the heap fails alone', async () => {
  const lane = openLane();
  const [fill, next] = [lane.run(forget('fill'), 20_000), lane.run(forget('next'), 5_000)];
  assert.equal(await failure(fill), 'memory');
  assert.equal(keyOf(await next), 'next');
});

test('a failure inside keeps its code', async () => {
  assert.equal(await failure(openLane().run(forget('fail'), 5_000)), 'ERR_X');
});

test('an idle thread is ended and started again when needed', async () => {
  const lane = openLane(10);
  assert.equal(keyOf(await lane.run(forget('a'), 5_000)), 'a');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(keyOf(await lane.run(forget('b'), 5_000)), 'b');
});

test('closing fails what waits and what comes later', async () => {
  const lane = openLane();
  const running = lane.run(forget('loop'), 5_000);
  const waiting = lane.run(forget('a'), 5_000);
  const ended = lane.close();
  assert.equal(await failure(running), 'closed');
  assert.equal(await failure(waiting), 'closed');
  await ended;
  assert.equal(await failure(lane.run(forget('b'), 5_000)), 'closed');
});
