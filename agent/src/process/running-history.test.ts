import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeClaims } from '@holdfast/evidence';
import type { LookReply } from './look-protocol.ts';
import { RunningHistory } from './running-history.ts';

const REPLY: LookReply = {
  code: [],
  executed: [],
  anonymous: [],
  foreign: [],
  injected: [],
  transient: [],
  mounts: [],
  restless: [],
  limits: [],
  isUnsettled: false,
};
const code = (path: string): CodeClaims => ({ path, origin: 'layer', sha256: null, use: 'program' });

test('what was seen stays, each once, in one order whatever came first', () => {
  const [first, second] = [new RunningHistory(), new RunningHistory()];
  assert.equal(
    first.add({ ...REPLY, code: [code('/b')] }, () => 'image'),
    true,
  );
  assert.equal(
    first.add({ ...REPLY, code: [code('/a'), code('/b')] }, () => 'image'),
    true,
  );
  assert.equal(
    first.add({ ...REPLY, code: [code('/b')] }, () => 'image'),
    false,
  );
  assert.equal(
    first.add(REPLY, () => 'image'),
    false,
  );
  second.add({ ...REPLY, code: [code('/a'), code('/b')] }, () => 'image');
  assert.deepEqual(first.claims, second.claims);
  assert.deepEqual(
    first.claims.code.map(({ path }) => path),
    ['/a', '/b'],
  );
});

test('where a variable comes from is said by who knows', () => {
  const history = new RunningHistory();
  history.add({ ...REPLY, injected: [{ path: '/x', name: 'LD_PRELOAD', value: '/y' }] }, () => 'pod');
  assert.deepEqual(history.claims.injected, [{ path: '/x', name: 'LD_PRELOAD', value: '/y', from: 'pod' }]);
});

test('a list that is full is a limit, told once, and so is text that is too much', () => {
  const history = new RunningHistory();
  const many = Array.from({ length: 2_001 }, (_row, at) => code(`/${at}`));
  assert.equal(
    history.add({ ...REPLY, code: many }, () => 'image'),
    true,
  );
  assert.deepEqual([history.claims.code.length, history.limits], [2_000, ['code']]);
  assert.equal(
    history.add({ ...REPLY, code: [code('/more')] }, () => 'image'),
    false,
  );
  const long = Array.from({ length: 200 }, (_row, at) => `/${at}${'x'.repeat(4_000)}`);
  history.add({ ...REPLY, transient: long }, () => 'image');
  assert.deepEqual(history.limits, ['code', 'transient']);
});
