import { createHash } from 'node:crypto';
import {
  EvidenceError,
  type JsonValue,
  parseBundle,
  parseStrictJson,
  parseToken,
  type UnverifiedToken,
} from '@holdfast/evidence';
import { type Blob, type Evidence, LogKind, type LogSegment } from '@holdfast/proto';
import type { ImaSegment } from '../ima/ima-progress.ts';
import { VerifierError } from '../verifier-error.ts';

/** One round as it came: nothing of it is verified. */
export interface UnverifiedRound {
  readonly token: UnverifiedToken;
  /** What travelled with the token, by the digest that was computed from it here. */
  readonly contents: Map<string, Buffer>;
  /** Parts of the IMA list that travelled with it. */
  readonly imaSegments: readonly ImaSegment[];
  /** What the operating system measured after the boot; undefined where it did not travel. */
  readonly userspaceLog: Buffer | undefined;
}

/** More pieces than any round needs. */
const MAX_BLOBS = 8192;
const MAX_LOGS = 256;
/** As agents cut the list: each segment is parsed in one go. */
const MAX_IMA_SEGMENT_BYTES = 2 * 1024 * 1024;

/**
 * Parses an Evidence message: a bare token or a bundle, and the blobs and the boot event log beside it under their own
 * digests. Segments of the IMA list are kept as they are. Throws `EvidenceError` as `parseToken` and `parseBundle` do, and `VerifierError`
 * ERR_VERIFIER_LIMIT or ERR_VERIFIER_MESSAGE.
 */
export function parseRound(evidence: Evidence, maxRoundBytes: number): UnverifiedRound {
  const contents = new Map<string, Buffer>();
  const { bootLogs, imaSegments, userspaceLog } = splitLogs(evidence.logs);
  const logBytes = sumBytes(imaSegments) + (userspaceLog?.length ?? 0);
  addBlobs(contents, [...evidence.blobs, ...bootLogs], maxRoundBytes - logBytes);
  switch (evidence.token.case) {
    case 'jwt':
      return { token: parseToken(evidence.token.value), contents, imaSegments, userspaceLog };
    case 'bundle': {
      const { token, sets } = parseBundle(evidence.token.value);
      for (const set of sets.values()) contents.set(computeDigest(set), set);
      return { token, contents, imaSegments, userspaceLog };
    }
    case undefined:
      throw new VerifierError('ERR_VERIFIER_MESSAGE', 'the evidence has no token');
  }
}

/**
 * The evidence id under which a refusal is told: of the token as it came, even where it does not parse. Empty bytes
 * where there is nothing like a token.
 */
export function identifyEvidence({ token }: Evidence): Buffer {
  const compact = token.case === 'bundle' ? findCompact(token.value) : (token.value ?? '');
  const end = compact.lastIndexOf('.');
  return end < 0 ? Buffer.alloc(0) : createHash('sha256').update(compact.slice(0, end), 'utf8').digest();
}

function findCompact(bundle: Uint8Array): string {
  try {
    const [jwt] = toArray(parseStrictJson(bundle, { maxBytes: bundle.length, maxDepth: 4, maxKeys: 64 }));
    const [, compact] = toArray(jwt ?? null);
    return typeof compact === 'string' ? compact : '';
  } catch (error) {
    if (error instanceof EvidenceError) return '';
    throw error;
  }
}

function toArray(value: JsonValue): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** Bytes of all that came with a round so far. */
export function countBytes({ contents, imaSegments, userspaceLog }: UnverifiedRound): number {
  const contentBytes = [...contents.values()].reduce((sum, { length }) => sum + length, 0);
  return contentBytes + sumBytes(imaSegments) + (userspaceLog?.length ?? 0);
}

/** Adds blobs under their digests. Throws `VerifierError` ERR_VERIFIER_LIMIT when there is too much of them in all. */
export function addBlobs(
  contents: Map<string, Buffer>,
  blobs: readonly Pick<Blob, 'content'>[],
  maxRoundBytes: number,
): void {
  let total = [...contents.values()].reduce((sum, { length }) => sum + length, 0);
  for (const { content } of blobs) {
    total += content.length;
    if (total > maxRoundBytes || contents.size >= MAX_BLOBS) {
      throw new VerifierError('ERR_VERIFIER_LIMIT', 'the round carries too much');
    }
    contents.set(computeDigest(content), Buffer.from(content));
  }
}

/**
 * Parts boot event logs, segments of the IMA list and the operating system's log; any other kind of log is left out. Throws `VerifierError`
 * ERR_VERIFIER_LIMIT or ERR_VERIFIER_MESSAGE.
 */
export function splitLogs(logs: readonly LogSegment[]): {
  readonly bootLogs: readonly Pick<Blob, 'content'>[];
  readonly imaSegments: readonly ImaSegment[];
  readonly userspaceLog: Buffer | undefined;
} {
  if (logs.length > MAX_LOGS) throw new VerifierError('ERR_VERIFIER_LIMIT', 'the round carries too much');
  if (logs.some(({ offset }) => offset > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw new VerifierError('ERR_VERIFIER_MESSAGE', 'a log begins beyond every list');
  }
  const imaSegments = logs.filter(({ kind }) => kind === LogKind.IMA);
  if (imaSegments.some(({ content }) => content.length > MAX_IMA_SEGMENT_BYTES)) {
    throw new VerifierError('ERR_VERIFIER_LIMIT', 'a segment of the IMA list is longer than 2 MiB');
  }
  const userspace = logs.find(({ kind, offset }) => kind === LogKind.USERSPACE && offset === 0n);
  return {
    bootLogs: logs.filter(({ kind }) => kind === LogKind.BOOT),
    imaSegments: imaSegments.map(({ offset, content }) => ({ offset: Number(offset), content: Buffer.from(content) })),
    userspaceLog: userspace && Buffer.from(userspace.content),
  };
}

function sumBytes(segments: readonly ImaSegment[]): number {
  return segments.reduce((sum, { content }) => sum + content.length, 0);
}

function computeDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
