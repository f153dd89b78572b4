import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { readScanFailure } from './create-scanner.ts';
import { startProcess, startThread } from './lane-host.ts';
import { WorkerLane } from './worker-lane.ts';

const module = new URL('./lane-body.test-support.ts', import.meta.url);
const KINDS = { thread: startThread, process: startProcess };
const lanes: WorkerLane[] = [];

function openLane(kind: keyof typeof KINDS, idleMs?: number): WorkerLane {
  const options = { module, maxHeapMb: 32, start: KINDS[kind] };
  const lane = new WorkerLane(idleMs === undefined ? options : { ...options, idleMs });
  lanes.push(lane);
  return lane;
}

suite('a worker lane', () => {
  afterEach(async () => {
    for (const lane of lanes.splice(0)) await lane.close();
  });

  const forget = (key: string, timeoutMs = 20_000) => ({
    createRequest: () => ({ kind: 'forget' as const, key }),
    group: key,
    timeoutMs,
  });
  const failure = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof AgentError);
    assert.equal(error.code, 'ERR_AGENT_SCAN');
    return readScanFailure(error);
  };
  const read = (reply: unknown, name: 'key' | 'pid') => {
    if (typeof reply !== 'object' || reply === null) return undefined;
    return new Map<string, unknown>(Object.entries(reply)).get(name);
  };

  for (const kind of ['thread', 'process'] as const) {
    test(`${kind}: requests of equals are answered in their order by one worker`, async () => {
      const lane = openLane(kind);
      const replies = await Promise.all(['a', 'b', 'c'].map((key) => lane.run(forget(key))));
      assert.deepEqual(
        replies.map((reply) => read(reply, 'key')),
        ['a', 'b', 'c'],
      );
      assert.equal(new Set(replies.map((reply) => read(reply, 'pid'))).size, 1);
    });

    test(`${kind}: a request that outstays its time fails alone, and the next gets a new worker`, async () => {
      const lane = openLane(kind);
      const [loop, next] = [lane.run(forget('loop', 50)), lane.run(forget('next'))];
      assert.equal(await failure(loop), 'time');
      assert.equal(read(await next, 'key'), 'next');
    });

    test(`${kind}: a request that ends its worker fails alone`, async () => {
      const lane = openLane(kind);
      const [exit, next] = [lane.run(forget('exit')), lane.run(forget('next'))];
      assert.equal(await failure(exit), 'memory');
      assert.equal(read(await next, 'key'), 'next');
    });

    test(`${kind}: a request that fills the heap fails alone`, async () => {
      const lane = openLane(kind);
      const [fill, next] = [lane.run(forget('fill')), lane.run(forget('next'))];
      assert.equal(await failure(fill), 'memory');
      assert.equal(read(await next, 'key'), 'next');
    });

    test(`${kind}: a failure inside keeps its code`, async () => {
      assert.equal(await failure(openLane(kind).run(forget('fail'))), 'ERR_X');
    });

    test(`${kind}: an idle worker is ended and started again when needed`, async () => {
      const lane = openLane(kind, 10);
      const first = read(await lane.run(forget('a')), 'pid');
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.notEqual(read(await lane.run(forget('b')), 'pid'), first);
    });

    test(`${kind}: closing fails what waits and what comes later`, async () => {
      const lane = openLane(kind);
      const running = lane.run(forget('loop'));
      const waiting = lane.run(forget('a'));
      const ended = lane.close();
      assert.equal(await failure(running), 'closed');
      assert.equal(await failure(waiting), 'closed');
      await ended;
      assert.equal(await failure(lane.run(forget('b'))), 'closed');
    });
  }

  test('process: what ends a whole process by memory ends that one alone', async () => {
    const lane = openLane('process');
    assert.equal(await failure(lane.run(forget('burst'))), 'memory');
    assert.equal(read(await lane.run(forget('next')), 'key'), 'next');
  });

  test('whoever took long waits for whoever did not', async () => {
    const lane = openLane('thread');
    assert.equal(await failure(lane.run(forget('loop', 1_500))), 'time');
    await lane.run(forget('quick'));
    const order: string[] = [];
    const running = lane.run(forget('busy'));
    const both = ['loop', 'quick'].map(async (group) => {
      await lane.run({ ...forget(`of ${group}`), group });
      order.push(group);
    });
    await Promise.all([running, ...both]);
    assert.deepEqual(order, ['quick', 'loop']);
  });

  /** A worker that answers at once, but for one group: of that it hangs, and ends when it is let go. */
  function startHanging(group: string) {
    const letGo: (() => void)[] = [];
    let started = 0;
    const start: typeof startThread = (_options, events) => {
      started += 1;
      queueMicrotask(() => events.onReady());
      const isHung = { value: false };
      return {
        post: ({ id, request }) => {
          isHung.value = request.kind === 'forget' && request.key === group;
          if (!isHung.value) queueMicrotask(() => events.onAnswer({ id, reply: null }));
        },
        hold: () => undefined,
        end: () => (isHung.value ? new Promise((resolve) => letGo.push(resolve)) : Promise.resolve()),
      };
    };
    return { lane: new WorkerLane({ module, maxHeapMb: 32, start }), letGo, countStarted: () => started };
  }

  test('whoever hangs where it cannot be ended gets no other worker until it ends, and the others go on', async () => {
    const { lane, letGo, countStarted } = startHanging('hung');
    assert.equal(await failure(lane.run(forget('hung', 1))), 'time');
    assert.equal(await failure(lane.run(forget('hung', 1))), 'blocked');
    assert.equal(await lane.run(forget('other')), null);
    assert.equal(await failure(lane.run(forget('hung', 1))), 'blocked');
    assert.equal(countStarted(), 2);
    for (const end of letGo) end();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await failure(lane.run(forget('hung', 1))), 'time');
    await lane.close();
  });
});
