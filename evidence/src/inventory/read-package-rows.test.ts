import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { readPackageRows } from './read-package-rows.ts';

const bash = {
  purl: 'pkg:deb/debian/bash@5?arch=amd64',
  type: 'deb',
  name: 'bash',
  version: '5',
  arch: 'amd64',
  path: '/var/lib/dpkg/status',
  source: { name: 'bash', version: '5' },
};
const zlib = { purl: 'pkg:deb/debian/zlib@1', type: 'deb', name: 'zlib', version: '1', path: '/var/lib/dpkg/status' };
/** Nothing but what is promised, and out of order. */
const promised = { complete: true, limits: [], packages: [zlib, bash], unowned: { executables: 0, sharedObjects: 0 } };

test('packages are read in any order and come sorted', () => {
  assert.deepEqual(readPackageRows(promised), { complete: true, limits: [], packages: [bash, zlib] });
});

test('members that are not known are left out, at every level', () => {
  const noted = { ...bash, note: 1, layer: null, source: { ...bash.source, note: { a: [] } } };
  const found = readPackageRows({ ...promised, comment: 'mine', packages: [noted, { ...zlib, licences: ['Zlib'] }] });
  assert.deepEqual(found.packages, [bash, zlib]);
});

test('a cut inventory stays cut, and whether it is complete is never guessed', () => {
  const cut = readPackageRows({ ...promised, complete: false, limits: ['time'] });
  assert.deepEqual([cut.complete, cut.limits], [false, ['time']]);
  const { complete: _, ...silent } = promised;
  for (const value of [silent, { ...promised, complete: null }, { ...promised, complete: 'true' }]) {
    assert.throws(() => readPackageRows(value), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('other formats and packages without what is compared are refused', () => {
  const { purl: _, ...nameless } = bash;
  for (const value of [
    null,
    [],
    'inventory',
    { ...promised, format: 'holdfast-inventory-v2' },
    { ...promised, packages: {} },
    { ...promised, packages: [[]] },
    { ...promised, packages: [nameless] },
    { ...promised, packages: [{ ...bash, purl: 'bash' }] },
    { ...promised, packages: [{ ...bash, source: [] }] },
  ]) {
    assert.throws(() => readPackageRows(value), evidenceError('ERR_EVIDENCE_CLAIMS'));
  }
});

test('hostile bytes end in EvidenceError only', () => {
  const read = (bytes: Uint8Array) => readPackageRows(parseStrictJson(bytes));
  assertSurvivesHostileBytes(read, Buffer.from(JSON.stringify(promised)), { flipStep: 3 });
});
