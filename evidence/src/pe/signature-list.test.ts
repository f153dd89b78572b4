import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { EFI_SIGNATURE_TYPE, parseSignatureLists, readVariableFile } from './signature-list.ts';

const SHA256_LIST = Buffer.from('2616c4c14c509240aca941f936934328', 'hex');
const OWNER = Buffer.alloc(16, 0xaa);

function makeList(type: Buffer, entries: readonly Buffer[], header = Buffer.alloc(0)): Buffer {
  const size = 16 + (entries[0]?.length ?? 32);
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(28 + header.length + entries.length * size, 0);
  sizes.writeUInt32LE(header.length, 4);
  sizes.writeUInt32LE(size, 8);
  return Buffer.concat([type, sizes, header, ...entries.flatMap((entry) => [OWNER, entry])]);
}

const DIGESTS = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const LIST = makeList(SHA256_LIST, DIGESTS);

test('entries of all lists are given with their owners', () => {
  const signatures = parseSignatureLists(
    Buffer.concat([LIST, makeList(SHA256_LIST, [Buffer.alloc(32, 3)], Buffer.alloc(4))]),
  );
  assert.deepEqual(
    signatures.map(({ data }) => data[0]),
    [1, 2, 3],
  );
  assert.ok(signatures.every(({ type }) => type === EFI_SIGNATURE_TYPE.sha256));
  assert.ok(signatures[0]?.entry.equals(Buffer.concat([OWNER, Buffer.alloc(32, 1)])));
  assert.deepEqual(parseSignatureLists(Buffer.alloc(0)), []);
});

test('a file of efivarfs has attributes in front, and bare lists have none', () => {
  const dump = Buffer.concat([Buffer.of(0x27, 0, 0, 0), LIST]);
  assert.ok(readVariableFile(dump).equals(LIST));
  assert.ok(readVariableFile(LIST).equals(LIST));
  assert.equal(readVariableFile(Buffer.of(7, 0, 0, 0)).length, 0);
  assert.equal(readVariableFile(Buffer.alloc(0)).length, 0);
  assert.throws(
    () => readVariableFile(Buffer.concat([Buffer.of(0x27, 1, 0, 0), LIST])),
    evidenceError('ERR_EVIDENCE_MALFORMED'),
  );
  assert.throws(() => readVariableFile(Buffer.from('not a variable')), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('hostile lists are refused', () => {
  assertSurvivesHostileBytes(parseSignatureLists, LIST, { allowPrefix: true });
  assertSurvivesHostileBytes(readVariableFile, LIST, { allowPrefix: true });
  assert.throws(() => parseSignatureLists(LIST.subarray(0, -1)), evidenceError('ERR_EVIDENCE_MALFORMED'));
  const odd = Buffer.from(LIST);
  odd.writeUInt32LE(49, 24);
  assert.throws(() => parseSignatureLists(odd), evidenceError('ERR_EVIDENCE_MALFORMED'));
  const empty = makeList(SHA256_LIST, []);
  empty.writeUInt32LE(16, 24);
  assert.throws(() => parseSignatureLists(empty), evidenceError('ERR_EVIDENCE_MALFORMED'));
  assert.throws(() => parseSignatureLists(Buffer.alloc(5 << 20)), evidenceError('ERR_EVIDENCE_LIMIT'));
});
