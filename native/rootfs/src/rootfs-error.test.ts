import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guard, RootfsError, toRootfsError } from './rootfs-error.ts';

const native = (fields: object): Error => Object.assign(new Error('openat2: nothing is there'), fields);

test('what the native part throws becomes a RootfsError with its code, errno and call', () => {
  const error = toRootfsError(native({ code: 'ERR_ROOTFS_NOT_FOUND', errno: 2, syscall: 'openat2' }));
  assert.ok(error instanceof RootfsError);
  assert.deepEqual([error.code, error.errno, error.syscall], ['ERR_ROOTFS_NOT_FOUND', 2, 'openat2']);
  const bare = toRootfsError(native({ code: 'ERR_ROOTFS_LIMIT' }));
  assert.ok(bare instanceof RootfsError);
  assert.ok(!('errno' in bare));
});

test('anything else comes through as it is', () => {
  const made = new RootfsError('ERR_ROOTFS_CLOSED', 'closed');
  for (const thrown of [native({ code: 'ENOENT' }), native({}), new TypeError('x'), made, 'text', undefined]) {
    assert.equal(toRootfsError(thrown), thrown);
  }
  assert.equal(
    guard(() => 7),
    7,
  );
  assert.throws(
    () =>
      guard(() => {
        throw native({ code: 'ERR_ROOTFS_TYPE' });
      }),
    RootfsError,
  );
});
