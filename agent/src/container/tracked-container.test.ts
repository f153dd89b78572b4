import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseClaimsSet } from '@holdfast/evidence';
import { type ContainerFacts, createDocument, encodeContainerClaims } from './build-claims.ts';
import { createRecord } from './container-record.test-support.ts';
import type { ContainerRecord } from './container-record.ts';
import { LossLedger } from './loss-ledger.ts';
import { parseOciSpec } from './oci-spec.ts';
import { ScanTiming, TrackedContainer } from './tracked-container.ts';

test('a new container is pending from the moment it was first seen', () => {
  const timing = new ScanTiming(100);
  assert.equal(timing.pendingSinceMs, 100);
  timing.start(150);
  assert.equal(timing.pendingSinceMs, 100);
  timing.finish(200, 5, true);
  assert.equal(timing.pendingSinceMs, undefined);
  assert.equal(timing.walkedMs, 200);
});

test('a change during a scan is pending after it', () => {
  const timing = new ScanTiming(0);
  timing.start(10);
  timing.markDirty(15);
  timing.markDirty(18);
  timing.finish(20, 5, true);
  assert.equal(timing.pendingSinceMs, 15);
  assert.equal(timing.isDirty, true);
});

test('what a failed scan should have covered stays pending, and the next ones wait longer', () => {
  const timing = new ScanTiming(0);
  timing.start(10);
  timing.markDirty(15);
  timing.fail(20);
  assert.equal(timing.pendingSinceMs, 0);
  assert.equal(timing.walkedMs, 0);
  assert.equal(timing.pauseMs(50), 1_000);
  for (let failures = 0; failures < 20; failures += 1) timing.fail(30);
  assert.equal(timing.pauseMs(50), 60_000);
  timing.start(40);
  timing.finish(50, 1, true);
  assert.equal(timing.pauseMs(50), 50);
});

test('a scan that did not walk everything leaves the age of the last walk', () => {
  const timing = new ScanTiming(0);
  timing.finish(10, 5, true);
  timing.start(20);
  timing.finish(30, 1, false);
  assert.equal(timing.walkedMs, 10);
  assert.equal(timing.pendingSinceMs, undefined);
});

test('everything is walked after a while, sooner where counts were left behind, later where it takes long', () => {
  const timing = new ScanTiming(0);
  timing.finish(0, 10, true);
  assert.equal(timing.isWalkDue(29_999, 30_000), false);
  assert.equal(timing.isWalkDue(30_000, 30_000), true);
  timing.finish(4_000, 1, false);
  assert.equal(timing.isWalkDue(4_999, 300_000), false);
  assert.equal(timing.isWalkDue(5_000, 300_000), true);
  assert.equal(timing.isWalkDue(29_999, 300_000, true), false);
  assert.equal(timing.isWalkDue(30_000, 300_000, true), true);
  timing.finish(6_000, 2_000, true);
  assert.equal(timing.isWalkDue(45_999, 30_000), false);
  assert.equal(timing.isWalkDue(46_000, 30_000), true);
});

test('a container whose walks take long waits longer, and one whose walks take very long most of the time', () => {
  const timing = new ScanTiming(0);
  const pauses = [1, 100, 1_000, 2_000, 10_000, 600_000].map((walkMs) => {
    timing.finish(10, walkMs, true);
    return timing.pauseMs(50);
  });
  assert.deepEqual(pauses, [50, 400, 1_000, 1_000, 30_000, 300_000]);
});

test('after a long walk a change at some path is looked at as soon as ever, unless such looks take long too', () => {
  const timing = new ScanTiming(0);
  timing.finish(10, 1_500, true);
  assert.deepEqual([timing.pauseMs(50, true), timing.pauseMs(50, false)], [1_000, 50]);
  timing.start(20, false);
  // It came to a walk all the same.
  timing.finish(30, 900, true);
  assert.deepEqual([timing.pauseMs(50, true), timing.pauseMs(50, false)], [1_000, 1_000]);
});

const RECORD = createRecord();

const FACTS: ContainerFacts = {
  record: RECORD,
  rootfs: undefined,
  image: undefined,
  layers: [],
  mounts: [],
  otherMounts: [],
  covered: new Set(),
  running: undefined,
  scan: undefined,
  limits: [],
  isTimed: false,
  unsupported: [],
};

const encode = (facts: Partial<ContainerFacts>) =>
  parseClaimsSet(encodeContainerClaims({ ...FACTS, ...facts }).bytes, 'container', 'c');

test('nothing known is never clean', () => {
  const { scan, image, drift } = encode({});
  assert.deepEqual(scan, { complete: false, limits: ['imageUnknown', 'notScanned', 'rootfsUnknown'], timed: false });
  assert.deepEqual([image.manifest, image.chainId, drift], [null, null, null]);
});

test('an unsupported container says why and nothing else', () => {
  const { status, scan } = encode({ unsupported: ['runtime:io.containerd.kata.v2'] });
  assert.equal(status, 'unsupported');
  assert.deepEqual(scan, { complete: false, limits: ['unsupported:runtime:io.containerd.kata.v2'], timed: false });
});

test('runtimes that keep their processes from this kernel, and user namespaces, are unsupported', () => {
  const reasonsOf = (change: Partial<ContainerRecord>) => new TrackedContainer({ ...RECORD, ...change }, 0).unsupported;
  assert.deepEqual(reasonsOf({}), []);
  for (const runtime of ['io.containerd.kata.v2', 'io.containerd.runsc.v1', 'kata', 'runsc', 'youki', 'unknown', '']) {
    assert.deepEqual(reasonsOf({ runtime }), [`runtime:${runtime}`]);
  }
  for (const linux of [
    { uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] },
    { gidMappings: [{ containerID: 0, hostID: 1, size: 1 }] },
    { namespaces: [{ type: 'mount' }, { type: 'user', path: '/proc/1/ns/user' }] },
  ]) {
    const spec = parseOciSpec(Buffer.from(JSON.stringify({ linux })));
    assert.deepEqual(reasonsOf({ spec }), ['userNamespace']);
  }
});

test('equal facts give equal bytes, whatever the order of their limits and the process number', () => {
  const first = encodeContainerClaims({ ...FACTS, limits: ['b', 'a'] });
  const record = { ...RECORD, task: { pid: 8, status: 'running' as const } };
  const second = encodeContainerClaims({ ...FACTS, record, limits: ['a', 'b'] });
  assert.equal(first.sha256, second.sha256);
});

test('words of a container that pass every bound are left out and named', () => {
  const long = JSON.stringify({ process: { args: ['x'.repeat(200_000)] } });
  const claims = encode({ record: { ...RECORD, spec: parseOciSpec(Buffer.from(long)), name: 'app' } });
  assert.equal(claims.process, null);
  assert.ok(claims.scan.limits.includes('claims:process') && claims.scan.limits.includes('claims:mounts'));
  assert.equal(claims.name, 'app');
  const odd = encode({ record: { ...RECORD, name: 'x'.repeat(5_000) } });
  assert.equal(odd.name, 'c');
  assert.ok(odd.scan.limits.includes('claims:labels'));
});

test('more limits than fit end in one that says so', () => {
  const { scan } = encode({ limits: Array.from({ length: 500 }, (_limit, at) => `limit${at}`) });
  assert.equal(scan.limits.length, 256);
  assert.equal(scan.limits.at(-1), 'limits');
});

test('a whole scan with all layers proven is complete', () => {
  const document = createDocument(Buffer.from('{}'));
  const image = {
    image: {
      manifest: `sha256:${'1'.repeat(64)}`,
      config: {
        platform: { os: 'linux', architecture: 'amd64' },
        diffIds: [`sha256:${'2'.repeat(64)}`],
        entrypoint: [],
        cmd: ['a'],
        env: [],
      },
      configDigest: `sha256:${'3'.repeat(64)}`,
      layers: [],
      index: null,
    },
    from: 'name' as const,
    isRetagged: false,
    isAmbiguous: false,
  };
  const rootfs = {
    driver: 'overlay',
    lowers: ['/l'],
    upper: '/u',
    chainIds: [`sha256:${'2'.repeat(64)}`],
    unsupported: [],
  };
  const counts = { relevant: 0, other: 3 };
  const base = {
    inventory: document,
    inventoryLimits: [],
    baseline: document,
    drift: document,
    relevantDigest: 'r',
    counts,
  };
  const claims = encode({ image, rootfs, layers: [{ proof: 'content', limits: [] }], scan: { ...base, limits: [] } });
  assert.deepEqual(claims.scan, { complete: true, limits: [], timed: false });
  assert.deepEqual(claims.driftCounts, counts);
  assert.equal(claims.image.layers[0]?.proof, 'content');
  assert.equal(claims.process?.argsFrom, 'image');
  const limited = encode({ image, rootfs, scan: { ...base, limits: ['drift:time'] } });
  assert.deepEqual(limited.scan, { complete: false, limits: ['drift:time'], timed: false });
  assert.equal(limited.image.layers[0]?.proof, 'none');
});

test('a loss is told once to who asks, and stands in the index for five minutes', () => {
  const losses = new LossLedger();
  losses.add('NOT_OBSERVED', 'a', 0);
  losses.add('NOT_OBSERVED', 'a', 1);
  losses.add('NOT_CAPTURED', 'b', 2);
  assert.deepEqual(losses.take(), ['NOT_OBSERVED:a', 'NOT_CAPTURED:b']);
  assert.deepEqual(losses.take(), []);
  assert.deepEqual(losses.listRecent(10), ['NOT_CAPTURED:b', 'NOT_OBSERVED:a']);
  assert.deepEqual(losses.listRecent(300_003), []);
});

test('the event that follows a known container out is no loss of another, once and for a while', () => {
  const losses = new LossLedger();
  losses.expectEvent('ns/a', 0);
  assert.equal(losses.takeExpected('ns/b', 1), false);
  assert.equal(losses.takeExpected('ns/a', 1), true);
  assert.equal(losses.takeExpected('ns/a', 2), false);
  losses.expectEvent('ns/a', 0);
  assert.equal(losses.takeExpected('ns/a', 60_001), false);
  for (let at = 0; at < 5_000; at += 1) losses.expectEvent(`ns/${at}`, 0);
  assert.equal(losses.takeExpected('ns/0', 1), false);
  assert.equal(losses.takeExpected('ns/4999', 1), true);
});

test('one of which no process ran since it was walked is walked less often, one with writable mappings always', () => {
  const container = new TrackedContainer(RECORD, 0);
  assert.equal(container.sweepAgeMs(30_000), 30_000);
  const cgroup = { pids: [7], usage: '1' };
  container.running.cgroup.now = cgroup;
  assert.equal(container.sweepAgeMs(30_000), 30_000);
  container.walkedAs = cgroup;
  assert.equal(container.sweepAgeMs(30_000), 300_000);
  container.running.restless = ['/x'];
  assert.equal(container.sweepAgeMs(30_000), 2_000);
  container.running.restless = [];
  container.running.cgroup.now = { ...cgroup };
  assert.equal(container.sweepAgeMs(30_000), 30_000);
});

test('who listens is told when a container is new, claims something else, or runs again', () => {
  let told = 0;
  const container = new TrackedContainer(RECORD, 0, {
    onClaims: () => {
      told += 1;
    },
  });
  const isTold = (act: () => void): boolean => {
    const before = told;
    act();
    return told > before;
  };
  assert.equal(told, 1);
  assert.ok(isTold(() => container.invalidate()));
  assert.ok(!isTold(() => container.encodeClaims(() => [])));
  assert.ok(isTold(() => container.onStart()));
  assert.ok(!isTold(() => container.setRecord({ ...RECORD })));
  assert.ok(isTold(() => container.setRecord({ ...RECORD, task: { pid: 8, status: 'running' } })));
});
