import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDocument, type ScanResult } from './build-claims.ts';
import { createRecord } from './container-record.test-support.ts';
import { Departures } from './departures.ts';
import { TrackedContainer } from './tracked-container.ts';

const RECORD = createRecord({ key: 'a', id: 'a', snapshotKey: 'a', task: undefined });

function createScan(drift: string): ScanResult {
  const document = createDocument(Buffer.from('{}'));
  const counts = { relevant: 0, other: 0 };
  const told = createDocument(Buffer.from(drift));
  const documents = { inventory: document, baseline: document, drift: told };
  return { ...documents, relevantDigest: 'r', counts, limits: [], inventoryLimits: [] };
}

function scanAs(container: TrackedContainer, drift: string): void {
  container.scan = createScan(drift);
  container.invalidate();
}

/** A container that stopped and was scanned, but not since then. */
function createStopped(key: string): TrackedContainer {
  const container = new TrackedContainer({ ...RECORD, key, id: key }, 0);
  container.isDeleteTold = true;
  scanAs(container, `{"of":"${key}"}`);
  return container;
}

/** A container that stopped and whose last scan is done. */
function createEnded(key: string): TrackedContainer {
  const container = createStopped(key);
  container.told.setEnd(container.scan?.drift.sha256 ?? '');
  return container;
}

function createDepartures(areConfirmed: boolean) {
  let told = 0;
  const departures = new Departures({
    clock: { monotonicMs: () => 0 },
    areConfirmed,
    onLoss: () => {
      told += 1;
    },
  });
  return { departures, countTold: () => told };
}

test('a container whose last claims-set nobody took within ten seconds was not captured', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { departures, countTold } = createDepartures(true);
  const container = createEnded('a');
  const { sha256 } = container.encodeClaims(() => []);
  departures.leave('n/a', container);
  t.mock.timers.tick(9_999);
  departures.confirm(new Set(['another']));
  assert.deepEqual([departures.takeLosses(), countTold()], [[], 0]);
  t.mock.timers.tick(1);
  assert.deepEqual([departures.takeLosses(), countTold()], [['NOT_CAPTURED:a'], 1]);
  departures.confirm(new Set([sha256]));
  assert.deepEqual(departures.listRecentLosses(), ['NOT_CAPTURED:a']);
});

test('a container is captured when its last claims-set was taken before it left, or soon after', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { departures } = createDepartures(true);
  const [early, late] = [createEnded('a'), createEnded('b')];
  early.told.confirm(new Set([early.encodeClaims(() => []).sha256]));
  const { sha256 } = late.encodeClaims(() => []);
  departures.leave('n/a', early);
  departures.leave('n/b', late);
  departures.confirm(new Set([sha256]));
  t.mock.timers.tick(60_000);
  assert.deepEqual(departures.takeLosses(), []);
});

test('what was taken of an earlier state is not the last state', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { departures } = createDepartures(true);
  const container = createStopped('a');
  container.told.confirm(new Set([container.encodeClaims(() => []).sha256]));
  assert.equal(container.told.isConfirmed, true);
  scanAs(container, '{"of":"later"}');
  container.told.setEnd(container.scan?.drift.sha256 ?? '');
  container.encodeClaims(() => []);
  departures.leave('n/a', container);
  t.mock.timers.tick(10_000);
  assert.deepEqual(departures.takeLosses(), ['NOT_CAPTURED:a']);
});

test('a container that was not scanned since its end was not captured', () => {
  const { departures } = createDepartures(true);
  const container = createStopped('a');
  container.told.confirm(new Set([container.encodeClaims(() => []).sha256]));
  departures.leave('n/a', container);
  assert.deepEqual(departures.takeLosses(), ['NOT_CAPTURED:a']);
});

test('files that are removed with the container are no state of it that is missed', () => {
  const { departures } = createDepartures(true);
  const [taken, again] = [createEnded('a'), createEnded('b')];
  for (const container of [taken, again]) {
    container.told.confirm(new Set([container.encodeClaims(() => []).sha256]));
    scanAs(container, '{"of":"half of the files"}');
    container.timing.markDirty(5);
    container.encodeClaims(() => []);
  }
  // This one was started once more in between.
  again.onStart();
  again.told.setEnd(again.scan?.drift.sha256 ?? '');
  again.isDeleteTold = true;
  departures.leave('n/a', taken);
  departures.leave('n/b', again);
  assert.deepEqual(departures.takeLosses(), ['NOT_CAPTURED:b']);
});

test('where nobody confirms, a container that was told of is captured', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { departures } = createDepartures(false);
  const container = createEnded('a');
  container.encodeClaims(() => []);
  departures.leave('n/a', container);
  t.mock.timers.tick(60_000);
  assert.deepEqual(departures.takeLosses(), []);
});
