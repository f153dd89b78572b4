import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocatedCode } from './code-locator.ts';
import { RuntimeGuard } from './runtime-guard.ts';

function createGuard() {
  let nowMs = 0;
  const hasher = { hashHeld: (path: string) => (path === '/host/usr/sbin/runc' ? 'runc' : undefined) };
  const guard = new RuntimeGuard('/host', hasher, () => nowMs);
  const judge = (program: Partial<LocatedCode>, command = '/app\0', pid = 7) =>
    guard.judge({
      pid,
      startTime: '1',
      program: { path: '/memfd:runc', origin: 'memfd', sha256: 'x', limit: undefined, ...program },
      command,
    });
  return { judge, wait: (ms: number) => (nowMs += ms) };
}

test("the bytes of the host's own runtime are the runtime, whatever their name and arguments", () => {
  const { judge } = createGuard();
  for (const origin of ['memfd', 'host', 'deleted', 'unknown'] as const) {
    assert.equal(judge({ origin, sha256: 'runc' }), 'runtime');
  }
});

test('a runtime that lies in the container is what runs in it', () => {
  const { judge } = createGuard();
  for (const origin of ['layer', 'upper', 'volume', 'tmpfs'] as const) {
    assert.equal(judge({ origin, sha256: 'runc' }, 'runc\0init\0'), 'inside');
  }
});

test('what only looks like the runtime is believed for two seconds', () => {
  const { judge, wait } = createGuard();
  assert.equal(judge({}, 'runc\0init\0'), 'unsettled');
  wait(1_999);
  assert.equal(judge({}, 'runc\0init\0'), 'unsettled');
  wait(1);
  assert.equal(judge({}, 'runc\0init\0'), 'inside');
  assert.equal(judge({}, 'runc\0init\0', 8), 'unsettled');
  assert.equal(judge({}, 'runc\0init\0more\0'), 'inside');
});

test('any other program that no file system holds is what runs', () => {
  const { judge } = createGuard();
  assert.equal(judge({}), 'inside');
  assert.equal(judge({ sha256: undefined }), 'inside');
});
