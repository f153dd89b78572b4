import { create } from '@bufbuild/protobuf';
import { encodeBundle, type SubmoduleName } from '@holdfast/evidence';
import { type AttesterMessage, AttesterMessageSchema, LogKind } from '@holdfast/proto';
import type { ImaSegment } from '../boot/ima-claims.ts';
import type { Round, RoundContent } from '../round/round.ts';

/** Logs that travel beside a token. */
export interface EvidenceLogs {
  readonly boot?: Buffer | undefined;
  readonly ima?: ImaSegment | undefined;
  readonly userspace?: Buffer | undefined;
}

/** More than this travels only when the Verifier asks for it. */
const MAX_EAGER_BYTES = 3 * 1024 * 1024;
const SUBMODULES: readonly SubmoduleName[] = ['host', 'boot', 'ima', 'kernel', 'containers'];

/** Finds content of a round by its SHA-256, hex. */
export function findContent(content: RoundContent, digest: string): Buffer | undefined {
  const submodule = SUBMODULES.find((name) => content.digests[name] === digest);
  return submodule === undefined
    ? (content.containerSets.get(digest) ?? content.blobs.get(digest))
    : content.sets[submodule];
}

/**
 * Makes the message of a round: the token alone where the Verifier has all claims-sets, else a bundle with those that it
 * lacks; then claims-sets of containers and, unless `known` is undefined, other blobs that it lacks, 3 MiB at most.
 *
 * `known` is the content of the last round that the Verifier confirmed in this conversation. Where it confirmed nothing
 * yet it may have most blobs from an earlier one, so that they wait until it asks.
 */
export function createEvidenceMessage(
  round: Round,
  known: RoundContent | undefined,
  logs: EvidenceLogs,
): AttesterMessage {
  const { record, content } = round;
  const lacks = (digest: string) => known === undefined || findContent(known, digest) === undefined;
  const missing = SUBMODULES.filter((name) => content !== undefined && lacks(content.digests[name]));
  const sets = Object.fromEntries(missing.map((name) => [name, content?.sets[name]]));
  const token =
    missing.length === 0
      ? { case: 'jwt' as const, value: record.token }
      : { case: 'bundle' as const, value: encodeBundle(record.token, sets) };
  const blobs = takeWithin(
    listOffered(content, known).flatMap(([digest, bytes]) => (lacks(digest) ? [bytes] : [])),
    MAX_EAGER_BYTES,
  );
  const value = { token, blobs: blobs.map((bytes) => ({ content: bytes })), logs: listLogs(logs) };
  return create(AttesterMessageSchema, { message: { case: 'evidence', value } });
}

/** What stands beside the bundle. Rounds in which no container changed share their maps. */
function listOffered(content: RoundContent | undefined, known: RoundContent | undefined): [string, Buffer][] {
  if (content === undefined) return [];
  const { containerSets, blobs } = content;
  if (known === undefined) return [...containerSets];
  return [...(containerSets === known.containerSets ? [] : containerSets), ...(blobs === known.blobs ? [] : blobs)];
}

/** As many of the buffers, in their order, as fit. */
export function takeWithin(buffers: readonly Buffer[], maxBytes: number): Buffer[] {
  let left = maxBytes;
  return buffers.filter((bytes) => {
    if (bytes.length > left) return false;
    left -= bytes.length;
    return true;
  });
}

function listLogs({ boot, ima, userspace }: EvidenceLogs) {
  return [
    ...(boot === undefined ? [] : [{ kind: LogKind.BOOT, offset: 0n, content: boot }]),
    ...(ima === undefined ? [] : [{ kind: LogKind.IMA, offset: BigInt(ima.offset), content: ima.content }]),
    ...(userspace === undefined ? [] : [{ kind: LogKind.USERSPACE, offset: 0n, content: userspace }]),
  ];
}
