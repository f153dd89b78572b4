import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PathChange } from './change-set.ts';
import { createRecord } from './container-record.test-support.ts';
import { TrackedContainer } from './tracked-container.ts';
import { UpperChanges } from './upper-changes.ts';

const RECORD = createRecord();
const LOGS = Array.from({ length: 1_000 }, (_, at) => `var/log/${at}`);

const written = (...paths: string[]): PathChange[] => paths.map((path) => ({ path, isContentOnly: true }));

/** Containers over the upper directories /u/NAME of a host that is mounted at /host, each walked once. */
function startWorld(...names: string[]) {
  const muted = new Set<string>();
  const containers: TrackedContainer[] = [];
  const state = { nowMs: 1_000 };
  const uppers = new UpperChanges({
    clock: { monotonicMs: () => state.nowMs },
    jobs: { toHostPath: (directory) => `/host${directory}` },
    listContainers: () => containers,
    watch: {
      mute: (directory, paths) => {
        for (const path of paths) muted.add(`${directory}/${path}`);
      },
      unmute: (directory) => {
        for (const path of muted) if (path.startsWith(`${directory}/`)) muted.delete(path);
      },
    },
  });
  const track = (name: string): TrackedContainer => {
    const container = new TrackedContainer(RECORD, 0, uppers);
    container.rootfs = { driver: 'overlay', lowers: [], upper: `/u/${name}`, chainIds: [], unsupported: [] };
    containers.push(container);
    return container;
  };
  for (const name of names) track(name).changes.take(state.nowMs);
  return { uppers, containers, muted, state, track };
}

test('names of a noisy container that wait are muted until they are looked at', () => {
  const { uppers, containers, muted, state } = startWorld('a', 'b');
  assert.deepEqual(uppers.add('/host/u/a', written(...LOGS)), [containers[0]]);
  assert.equal(muted.has('/host/u/a/var/log/999'), true);
  assert.equal(muted.has('/host/u/a/var/log/0'), false, 'it came before the noise and is looked at at once');
  uppers.add('/host/u/a', written('etc/passwd', 'var/log/x.php'));
  uppers.add('/host/u/a', [{ path: 'var/log/new', isContentOnly: false }]);
  uppers.add('/host/u/b', written('var/log/1'));
  assert.equal(muted.size, LOGS.length - 399);
  containers[0]?.changes.take(state.nowMs);
  assert.equal(muted.size, LOGS.length - 399);
  containers[0]?.changes.take(state.nowMs + 30_000);
  assert.equal(muted.size, 0);
});

test('what waits for a walk of everything is muted until that begins', () => {
  const { uppers, muted, track } = startWorld();
  const container = track('a');
  uppers.add('/host/u/a', written('etc/passwd'));
  assert.deepEqual([...muted], ['/host/u/a/etc/passwd']);
  container.changes.take(2_000);
  assert.equal(muted.size, 0);
});

test('what another container over the same directory does not wait for is told', () => {
  const { uppers, containers, muted, track } = startWorld('a');
  uppers.add('/host/u/a', written(...LOGS));
  const second = track('a');
  second.changes.take(1_000);
  muted.clear();
  uppers.add('/host/u/a', written('var/log/500'));
  assert.equal(muted.size, 0);
  assert.deepEqual(uppers.listOver('/host/u/a'), [containers[0], second]);
  uppers.add('/host/u/none', written('x'));
  assert.equal(muted.size, 0);
});

test('writes that were not told keep a container noisy', () => {
  const { uppers, containers, state } = startWorld('a', 'b');
  assert.deepEqual(uppers.addMuted('/host/u/b', 5_000), [containers[1]]);
  assert.deepEqual(
    containers.map(({ changes }) => changes.isNoisy(state.nowMs)),
    [false, true],
  );
});
