import { createHash, timingSafeEqual } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Snapshot, SnapshotSchema } from './gen/holdfast/v1/snapshot_pb.ts';

const MAGIC = Buffer.from('HFSNAP1\n', 'latin1');
const HEADER_BYTES = MAGIC.length + 8;
const TRAILER_BYTES = 32;
/** Longest file that is read back. */
const MAX_SNAPSHOT_BYTES = 512 * 1024 * 1024;

/**
 * How bytes fail to be a whole snapshot file: `foreign` is something else, `incomplete` has lost or gained bytes at its
 * end, `damaged` has all its bytes, and some were changed.
 */
export type SnapshotFault = 'foreign' | 'incomplete' | 'damaged';

/** Bytes that are no whole snapshot file. The message is a sentence for people. */
export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
  readonly code = 'ERR_PROTO_SNAPSHOT';
  readonly fault: SnapshotFault;

  constructor(fault: SnapshotFault, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.fault = fault;
  }
}

/** Writes a snapshot file (proto/holdfast/v1/snapshot.proto): magic, length, message, SHA-256 of all three. */
export function encodeSnapshotFile(snapshot: Snapshot): Buffer {
  const message = toBinary(SnapshotSchema, snapshot);
  const header = encodeHeader(message.length);
  return Buffer.concat([header, message, digest(header, message)]);
}

/**
 * Reads a snapshot file: size, magic, length, SHA-256 trailer, then the message. The trailer finds damage, not forgery:
 * nothing in the result is verified.
 *
 * Throws `SnapshotFileError` that says which of them does not hold.
 */
export function parseSnapshotFile(bytes: Uint8Array): Snapshot {
  if (bytes.length > MAX_SNAPSHOT_BYTES) throw new SnapshotFileError('foreign', 'the snapshot file is over 512 MiB');
  const header = bytes.subarray(0, HEADER_BYTES);
  const message = bytes.subarray(HEADER_BYTES, Math.max(HEADER_BYTES, bytes.length - TRAILER_BYTES));
  const trailer = bytes.subarray(HEADER_BYTES + message.length);
  const wanted = encodeHeader(message.length);
  const isWhole = trailer.length === TRAILER_BYTES && timingSafeEqual(digest(wanted, message), trailer);
  if (!isWhole || !wanted.equals(header)) throw explain(header, wanted, isWhole);
  try {
    return fromBinary(SnapshotSchema, message, { readUnknownFields: false });
  } catch (cause) {
    throw new SnapshotFileError('damaged', 'the snapshot file holds no snapshot message', { cause });
  }
}

/** With the right header the checksum would hold: then the header alone was changed. */
function explain(header: Uint8Array, wanted: Buffer, isWholeButHeader: boolean): SnapshotFileError {
  if (isWholeButHeader) return new SnapshotFileError('damaged', 'the snapshot file is damaged in its header');
  if (!MAGIC.equals(header.subarray(0, MAGIC.length))) {
    return new SnapshotFileError('foreign', 'this is not a snapshot file');
  }
  if (!wanted.equals(header))
    return new SnapshotFileError('incomplete', 'the snapshot file is cut off, or has more at its end');
  return new SnapshotFileError('damaged', 'the snapshot file is damaged: its checksum does not match');
}

function encodeHeader(messageBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64BE(BigInt(messageBytes), MAGIC.length);
  return header;
}

function digest(header: Uint8Array, message: Uint8Array): Buffer {
  return createHash('sha256').update(header).update(message).digest();
}
