import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeStorageFiles } from '../containers-storage/fake-storage.test-support.ts';
import { checkStorage } from './check-storage.ts';

const USUAL = '/var/lib/containers/storage';
const ROWS = [{ id: '1'.repeat(64) }];

function createFiles(files: Record<string, unknown>): FakeStorageFiles {
  const fake = new FakeStorageFiles();
  for (const [path, content] of Object.entries(files)) fake.write(path, content);
  return fake;
}

test('a store that the settings name works, is weaker with another driver, and fails where it is missing or broken', async () => {
  const paths = { root: '/store', runRoot: '/run/store' };
  const whole = createFiles({ '/store/overlay-containers/containers.json': ROWS });
  assert.deepEqual(await checkStorage(whole, paths), {
    id: 'runtime.storage',
    status: 'works',
    detail: '/store holds 1 containers of podman or CRI-O',
    fix: null,
  });
  const mixed = createFiles({ '/store/vfs-containers/containers.json': ROWS });
  const { status, detail } = await checkStorage(mixed, paths);
  assert.deepEqual([status, detail.includes('vfs')], ['weaker', true]);
  assert.equal((await checkStorage(createFiles({}), paths)).status, 'fails');
  const broken = createFiles({ '/store/overlay-containers/containers.json': 'x' });
  const check = await checkStorage(broken, paths);
  assert.deepEqual([check.status, check.fix === null], ['fails', false]);
});

test('containers in the usual place that nobody asked for are named', async () => {
  assert.equal((await checkStorage(createFiles({}), undefined)).status, 'skipped');
  const empty = createFiles({ [`${USUAL}/overlay-containers/containers.json`]: [] });
  assert.equal((await checkStorage(empty, undefined)).status, 'skipped');
  const used = createFiles({ [`${USUAL}/overlay-containers/containers.json`]: ROWS });
  assert.equal((await checkStorage(used, undefined)).status, 'weaker');
});
