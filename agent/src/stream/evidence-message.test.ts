import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { fakeContent, fakeRound } from '../round/fake-round.test-support.ts';
import { createEvidenceMessage, findContent, takeWithin } from './evidence-message.ts';

function evidenceOf(...input: Parameters<typeof createEvidenceMessage>) {
  const { message } = createEvidenceMessage(...input);
  assert.equal(message.case, 'evidence');
  return message.value;
}

const blob = Buffer.from('inventory');
const content = fakeContent('', [blob]);

test('a round without content travels as the bare token', () => {
  const { token, blobs } = evidenceOf(fakeRound(0), undefined, {});
  assert.deepEqual([token.case, blobs.length], ['jwt', 0]);
});

test('the first round brings all claims-sets but no other blobs, which the verifier may have', () => {
  const { token, blobs } = evidenceOf(fakeRound(0, { content }), undefined, {});
  assert.equal(token.case, 'bundle');
  const [, sets] = JSON.parse(Buffer.from(token.value).toString());
  assert.deepEqual(Object.keys(sets), ['host', 'boot', 'ima', 'kernel', 'containers']);
  assert.equal(blobs.length, 1);
});

test('a later round brings exactly what is not known', () => {
  const same = evidenceOf(fakeRound(0, { content }), content, {});
  assert.deepEqual([same.token.case, same.blobs.length], ['jwt', 0]);
  const equal = evidenceOf(fakeRound(0, { content }), fakeContent('', [blob]), {});
  assert.deepEqual([equal.token.case, equal.blobs.length], ['jwt', 0]);
  const digests = { ...content.digests, kernel: hash('sha256', 'before') };
  const { token, blobs } = evidenceOf(fakeRound(0, { content }), { ...content, digests, blobs: new Map() }, {});
  assert.equal(token.case, 'bundle');
  assert.deepEqual(Object.keys(JSON.parse(Buffer.from(token.value).toString())[1]), ['kernel']);
  assert.deepEqual(
    blobs.map((sent) => Buffer.from(sent.content)),
    [blob],
  );
});

test('blobs beyond 3 MiB wait until they are asked for', () => {
  const blobs = [1, 2, 3, 4].map((fill) => Buffer.alloc(1024 * 1024, fill));
  const sent = evidenceOf(fakeRound(0, { content: fakeContent('', blobs) }), fakeContent('before'), {}).blobs;
  assert.equal(sent.length, 3);
});

test('content is found by digest wherever it stands in a round', () => {
  assert.deepEqual(findContent(content, content.digests.host), content.sets.host);
  assert.deepEqual(findContent(content, hash('sha256', 'container')), Buffer.from('container'));
  assert.deepEqual(findContent(content, hash('sha256', blob)), blob);
  assert.equal(findContent(content, 'ab'.repeat(32)), undefined);
});

test('what does not fit is left out, what fits behind it is not', () => {
  const [small, large, other] = [Buffer.alloc(3), Buffer.alloc(9), Buffer.alloc(2)];
  assert.deepEqual(takeWithin([small, large, other], 5), [small, other]);
  assert.deepEqual(takeWithin([], 5), []);
});
