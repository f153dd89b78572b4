import { createHash, timingSafeEqual } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Snapshot, SnapshotSchema } from './gen/holdfast/v1/snapshot_pb.ts';

const MAGIC = Buffer.from('HFSNAP1\n', 'latin1');
const TRAILER_BYTES = 32;
/** Longest file that is read back. */
const MAX_SNAPSHOT_BYTES = 512 * 1024 * 1024;

/** Bytes that are no whole snapshot file. The message is a sentence for people. */
export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
  readonly code = 'ERR_PROTO_SNAPSHOT';
}

/** Writes a snapshot file (proto/holdfast/v1/snapshot.proto): magic, message, SHA-256 of both. */
export function encodeSnapshotFile(snapshot: Snapshot): Buffer {
  const message = toBinary(SnapshotSchema, snapshot);
  const trailer = createHash('sha256').update(MAGIC).update(message).digest();
  return Buffer.concat([MAGIC, message, trailer]);
}

/**
 * Reads a snapshot file: size, magic, SHA-256 trailer, then the message. The trailer finds damage, not forgery: nothing
 * in the result is verified.
 *
 * Throws `SnapshotFileError` that says which of them does not hold.
 */
export function parseSnapshotFile(bytes: Uint8Array): Snapshot {
  if (bytes.length > MAX_SNAPSHOT_BYTES) throw new SnapshotFileError('the snapshot file is larger than 512 MiB');
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw new SnapshotFileError('this is not a snapshot file');
  const end = bytes.length - TRAILER_BYTES;
  if (end < MAGIC.length) throw new SnapshotFileError('the snapshot file is cut off');
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!timingSafeEqual(digest, bytes.subarray(end))) {
    throw new SnapshotFileError('the snapshot file is damaged or cut off: its checksum does not match');
  }
  try {
    return fromBinary(SnapshotSchema, bytes.subarray(MAGIC.length, end), { readUnknownFields: false });
  } catch (cause) {
    throw new SnapshotFileError('the snapshot file holds no snapshot message', { cause });
  }
}
