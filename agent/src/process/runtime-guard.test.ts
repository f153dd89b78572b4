import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocatedCode } from './code-locator.ts';
import { type GuardedProcess, RuntimeGuard } from './runtime-guard.ts';

function createGuard() {
  let nowMs = 0;
  const hasher = { hashHeld: (path: string) => (path === '/host/usr/sbin/runc' ? 'runc' : undefined) };
  const guard = new RuntimeGuard('/host', hasher, () => nowMs);
  const judge = (program: Partial<LocatedCode>, command = '/app\0', pid = 7, change: Partial<GuardedProcess> = {}) =>
    guard.judge({
      pid,
      startTime: '1',
      program: { path: '/memfd:runc', origin: 'memfd', sha256: 'x', limit: undefined, ...program },
      command,
      container: 1,
      isCreated: false,
      ...change,
    });
  return { judge, wait: (ms: number) => (nowMs += ms) };
}

const RUNC = { sha256: 'runc' };

test("the bytes of the host's own runtime are believed for ten seconds, whatever their name and arguments", () => {
  const { judge, wait } = createGuard();
  const ORIGINS = ['memfd', 'host', 'deleted', 'unknown'] as const;
  for (const [at, origin] of ORIGINS.entries()) assert.equal(judge({ ...RUNC, origin }, '/app\0', at), 'unsettled');
  wait(9_999);
  assert.equal(judge(RUNC, '/app\0', 0), 'unsettled');
  wait(1);
  for (const [at, origin] of ORIGINS.entries()) assert.equal(judge({ ...RUNC, origin }, '/app\0', at), 'inside');
});

test('the first process of a container that was created is the runtime for as long as it takes', () => {
  const { judge, wait } = createGuard();
  const isCreated = { isCreated: true };
  assert.equal(judge(RUNC, 'runc\0init\0', 7, isCreated), 'runtime');
  wait(3_600_000);
  assert.equal(judge(RUNC, 'runc\0init\0', 7, isCreated), 'runtime');
  assert.equal(judge({}, '/app\0', 7, isCreated), 'inside');
});

test('a crowd of look-alikes is what runs, does not make the first ones new again, and takes nothing from others', () => {
  const { judge, wait } = createGuard();
  for (let pid = 0; pid < 64; pid += 1) assert.equal(judge(RUNC, 'x\0init\0', pid), 'unsettled');
  assert.equal(judge(RUNC, 'x\0init\0', 64), 'inside');
  assert.equal(judge(RUNC, 'x\0init\0', 65, { container: 2 }), 'unsettled');
  wait(10_000);
  assert.equal(judge(RUNC, 'x\0init\0', 0), 'inside');
  wait(120_001);
  assert.equal(judge(RUNC, 'x\0init\0', 66), 'unsettled');
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
