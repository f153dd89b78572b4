import { encodeSnapshotFile } from '@holdfast/proto';
import type { ImaReader, ImaSegment } from '../boot/ima-claims.ts';
import type { RoundEngine } from '../round/round-engine.ts';
import { createSnapshot } from './create-snapshot.ts';

export interface SnapshotMakerDeps {
  engine: RoundEngine;
  kubeNode: string;
  readEventLog(): Buffer | undefined;
  readUserspaceLog(): Buffer | undefined;
  ima: ImaReader;
  listCertificates(): readonly Buffer[];
  listEkCertificates(): readonly Buffer[];
}

/** Longest IMA list in a snapshot; the quote then stands unexplained, which is never good. */
const MAX_IMA_BYTES = 64 * 1024 * 1024;

/** Makes the bytes of one snapshot file for a responder's nonce: a round of its own, then the logs. */
export async function makeSnapshotFile(deps: SnapshotMakerDeps, nonce: string): Promise<Buffer> {
  const round = await deps.engine.makeSnapshot(nonce);
  const snapshot = createSnapshot(round, {
    kubeNode: deps.kubeNode,
    nonce,
    eventLog: deps.readEventLog(),
    userspaceLog: deps.readUserspaceLog(),
    imaSegments: readWholeList(deps.ima),
    certificates: deps.listCertificates(),
    ekCertificates: deps.listEkCertificates(),
  });
  return encodeSnapshotFile(snapshot);
}

function readWholeList(ima: ImaReader): ImaSegment[] {
  const segments: ImaSegment[] = [];
  let bytes = 0;
  for (let segment = ima.read(0); segment !== undefined && bytes <= MAX_IMA_BYTES; segment = ima.read(segment.next)) {
    segments.push(segment);
    bytes += segment.content.length;
  }
  return segments;
}
