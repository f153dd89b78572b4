import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { create, equals } from '@bufbuild/protobuf';
import { SnapshotSchema } from './gen/holdfast/v1/snapshot_pb.ts';
import { encodeSnapshotFile, parseSnapshotFile, SnapshotFileError } from './snapshot-file.ts';

const snapshot = create(SnapshotSchema, {
  kubeNode: 'worker-1',
  nonce: 'n'.repeat(43),
  evidence: { token: { case: 'jwt', value: 'a.b.c' }, blobs: [{ content: Buffer.from('blob') }], logs: [] },
  certificates: [Buffer.from([1, 2, 3])],
  headChain: 'chain',
  headSeq: 7n,
});
const file = encodeSnapshotFile(snapshot);

function seal(content: Buffer): Buffer {
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

test('a snapshot survives the way through its file', () => {
  assert.ok(equals(SnapshotSchema, parseSnapshotFile(file), snapshot));
  assert.equal(file.toString('latin1', 0, 8), 'HFSNAP1\n');
});

test('a file that is cut off at any byte is refused', () => {
  for (let size = 0; size < file.length; size += 1) {
    assert.throws(() => parseSnapshotFile(file.subarray(0, size)), SnapshotFileError);
  }
});

test('a file with any bit flipped is refused', () => {
  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const flipped = Buffer.from(file);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.throws(() => parseSnapshotFile(flipped), SnapshotFileError);
  }
});

test('a checksum that holds does not make a message of other bytes', () => {
  const magic = Buffer.from('HFSNAP1\n');
  for (let length = 1; length < 64; length += 1) {
    const content = seal(Buffer.concat([magic, Buffer.alloc(length, 0xff)]));
    assert.throws(() => parseSnapshotFile(content), { code: 'ERR_PROTO_SNAPSHOT' });
  }
  assert.throws(() => parseSnapshotFile(seal(randomBytes(100))), /not a snapshot file/);
});
