import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import type { Drift, DriftAttributes, DriftEntry } from './drift.ts';
import { encodeDrift, parseDrift } from './parse-drift.ts';

const attributes: DriftAttributes = { mode: '4755', uid: 0, gid: 0, size: 3, sha256: 'ab'.repeat(32) };
const entryOf = (path: string, changes: Partial<DriftEntry> = {}): DriftEntry => ({
  path,
  kind: 'modified',
  entryType: 'file',
  reasons: ['executable', 'elf'],
  after: attributes,
  before: { ...attributes, mode: '0' },
  ownedBy: 'pkg:deb/debian/libc6@2.36',
  ...changes,
});
const drift: Drift = {
  format: 'holdfast-drift-v1',
  rules: '1',
  complete: true,
  limits: [],
  // In the order of bytes: the escaped 0x01 and 0xFF stand where their bytes do, not where % does.
  relevant: [entryOf('/a%01'), entryOf('/a b'), entryOf('/ab'), entryOf('/aé'), entryOf('/a%FF')],
  other: { entries: 2, bytes: 10, byDirectory: { '/var': { entries: 2, bytes: 10 } }, digest: 'cd'.repeat(32) },
};
const parseValue = (value: unknown) => parseDrift(Buffer.from(JSON.stringify(value)));

test('a drift document survives encoding and parsing', () => {
  assert.deepEqual(parseDrift(encodeDrift(drift)), drift);
});

test('the order in which changes were found does not change the bytes', () => {
  const found = { ...drift, relevant: drift.relevant.toReversed() };
  assert.deepEqual(encodeDrift(found), encodeDrift(drift));
  assert.throws(() => parseValue(found), evidenceError('ERR_EVIDENCE_CLAIMS'));
});

test('a path that is there twice is refused', () => {
  const twice = { ...drift, relevant: [entryOf('/a'), entryOf('/a')] };
  assert.throws(() => encodeDrift(twice), evidenceError('ERR_EVIDENCE_CLAIMS'));
});

test('a path in another than its one form is refused', () => {
  for (const path of ['/%41', '/a/../b', '/a\nb', '/a%']) {
    assert.throws(
      () => parseValue({ ...drift, relevant: [entryOf(path)] }),
      evidenceError('ERR_EVIDENCE_ENCODING'),
      path,
    );
  }
});

test('attributes stand only where the kind has them', () => {
  const { before: _b, ...added } = entryOf('/a', { kind: 'added' });
  const { after: _a, ...removed } = entryOf('/b', { kind: 'removed', entryType: 'none' });
  encodeDrift({ ...drift, relevant: [added, removed] });
  for (const entry of [entryOf('/a', { kind: 'added' }), entryOf('/b', { kind: 'removed' })]) {
    assert.throws(() => encodeDrift({ ...drift, relevant: [entry] }), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('bad formats, members and values are refused', () => {
  for (const value of [
    { ...drift, format: 'x' },
    { ...drift, complete: 1 },
    { ...drift, other: { ...drift.other, digest: 'x' } },
    { ...drift, relevant: [{ ...entryOf('/a'), kind: 'touched' }] },
    { ...drift, relevant: [{ ...entryOf('/a'), reasons: ['not a word'] }] },
    { ...drift, relevant: [{ ...entryOf('/a'), after: { ...attributes, mode: '888' } }] },
    { ...drift, relevant: [{ ...entryOf('/a'), after: { ...attributes, uid: 2 ** 32 } }] },
    { ...drift, relevant: [{ ...entryOf('/a'), extra: 1 }] },
  ]) {
    assert.throws(() => parseValue(value), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('hostile bytes end in EvidenceError only', () => {
  assertSurvivesHostileBytes(parseDrift, encodeDrift(drift), { flipStep: 3 });
});
