import { create } from '@bufbuild/protobuf';
import { encodeBundle } from '@holdfast/evidence';
import { LogKind, type Snapshot, SnapshotSchema } from '@holdfast/proto';
import type { ImaSegment } from '../boot/ima-claims.ts';
import type { SnapshotRound } from '../round/round-engine.ts';

/** What stands in a snapshot beside its round. */
export interface SnapshotContext {
  readonly kubeNode: string;
  readonly nonce: string;
  readonly eventLog: Buffer | undefined;
  readonly userspaceLog: Buffer | undefined;
  /** From the first entry on. */
  readonly imaSegments: readonly ImaSegment[];
  /** X.509 DER, as enrolled. */
  readonly certificates: readonly Buffer[];
  /** Of the EK and its issuers, DER, as they were sent in the enrolment. */
  readonly ekCertificates: readonly Buffer[];
}

/** Makes one self-contained snapshot: a round with every claims-set, blob and log that its token reaches. */
export function createSnapshot(round: SnapshotRound, context: SnapshotContext): Snapshot {
  const { token, content, head, keys } = round;
  const blobs = [...content.containerSets.values(), ...content.blobs.values()];
  return create(SnapshotSchema, {
    kubeNode: context.kubeNode,
    nonce: context.nonce,
    evidence: {
      token: { case: 'bundle', value: encodeBundle(token, content.sets) },
      blobs: blobs.map((bytes) => ({ content: bytes })),
      logs: listLogs(context),
    },
    certificates: [...context.certificates],
    ekCertificates: [...context.ekCertificates],
    ekPublic: keys?.ekPublic ?? Buffer.alloc(0),
    akPublic: keys?.akPublic ?? Buffer.alloc(0),
    signingPublic: keys?.signingPublic ?? Buffer.alloc(0),
    headChain: head?.chain ?? '',
    headSeq: BigInt(head?.seq ?? 0),
    headEvidenceId: Buffer.from(head?.evidenceId ?? '', 'hex'),
  });
}

function listLogs({ eventLog, userspaceLog, imaSegments }: SnapshotContext) {
  return [
    ...(eventLog === undefined ? [] : [{ kind: LogKind.BOOT, offset: 0n, content: eventLog }]),
    ...(userspaceLog === undefined ? [] : [{ kind: LogKind.USERSPACE, offset: 0n, content: userspaceLog }]),
    ...imaSegments.map(({ offset, content }) => ({ kind: LogKind.IMA, offset: BigInt(offset), content })),
  ];
}
