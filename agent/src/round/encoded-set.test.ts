import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type ContainersClaims, encodeClaimsSet } from '@holdfast/evidence';
import { SetEncoder } from './encoded-set.ts';

const describe = (limits: string[]): ContainersClaims => ({ type: 'containers', limits, containers: {} });

test('equal claims are encoded once, others anew, each with the digest of its bytes', () => {
  const encoder = new SetEncoder();
  const first = encoder.encode(describe(['a']));
  assert.equal(encoder.encode(describe(['a'])), first);
  const second = encoder.encode(describe(['b']));
  assert.deepEqual(second.bytes, encodeClaimsSet(describe(['b'])));
  for (const { bytes, sha256 } of [first, second]) {
    assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
  }
  assert.deepEqual(encoder.encode(describe(['a'])), first);
});

test('claims that no Verifier would take are refused, and the set before stays what it was', () => {
  const encoder = new SetEncoder();
  const first = encoder.encode(describe(['a']));
  const refused = describe(['x'.repeat(100_000)]);
  for (let time = 0; time < 2; time += 1) {
    assert.throws(() => encoder.encode(refused), { code: 'ERR_EVIDENCE_CLAIMS' });
  }
  assert.equal(encoder.encode(describe(['a'])), first);
});
