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

function faultOf(bytes: Uint8Array): string {
  try {
    parseSnapshotFile(bytes);
    return 'none';
  } catch (error) {
    if (error instanceof SnapshotFileError) return error.fault;
    throw error;
  }
}

test('a file that is cut off at any byte is told to be incomplete', () => {
  for (let size = 0; size < file.length; size += 1) {
    assert.equal(faultOf(file.subarray(0, size)), size < 8 ? 'foreign' : 'incomplete', `${size} bytes`);
  }
  assert.equal(faultOf(Buffer.concat([file, Buffer.alloc(1)])), 'incomplete');
});

test('a file with any bit flipped is told to be damaged, in its header too', () => {
  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const flipped = Buffer.from(file);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.equal(faultOf(flipped), 'damaged', `bit ${bit}`);
  }
});

test('a checksum that holds does not make a message of other bytes', () => {
  for (let length = 1; length < 64; length += 1) {
    const header = Buffer.concat([Buffer.from('HFSNAP1\n'), Buffer.alloc(8)]);
    header.writeBigUInt64BE(BigInt(length), 8);
    assert.equal(faultOf(seal(Buffer.concat([header, Buffer.alloc(length, 0xff)]))), 'damaged');
  }
  assert.equal(faultOf(seal(randomBytes(100))), 'foreign');
});
