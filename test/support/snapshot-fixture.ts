import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { encodeSnapshotFile, type Snapshot, SnapshotSchema } from '@holdfast/proto';
import { loadVerifierKeys } from '@holdfast/verifier';
import { type ClaimsContent, createClaimsContent } from './claims-fixture.ts';
import { createFullEvidence, type RoundChanges, SoftwareAttester } from './software-attester.ts';
import { SoftwareTpm } from './software-tpm.ts';

/** From when until when certificates hold; milliseconds since 1970. */
export interface Period {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What a snapshot is to be other than right. */
export interface SnapshotChanges extends RoundChanges {
  readonly period?: Period;
  readonly fields?: Partial<Pick<Snapshot, 'kubeNode' | 'headChain'>>;
}

/** A kube node in software that some verifier enrolled, and the trust file of whoever verifies its snapshots. */
export interface SnapshotWorld {
  readonly tpm: SoftwareTpm;
  readonly attester: SoftwareAttester;
  readonly content: ClaimsContent;
  readonly trustFile: string;
  makeSnapshot(nonce: string, changes?: SnapshotChanges): Promise<Snapshot>;
  /** The file of such a snapshot. */
  writeSnapshot(name: string, nonce: string, changes?: SnapshotChanges): Promise<string>;
}

const KUBE_NODE = 'worker-1';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Makes keys, certificates' issuer and trust file in a directory of the caller. */
export async function createSnapshotWorld(directory: string): Promise<SnapshotWorld> {
  const tpm = new SoftwareTpm();
  const attester = new SoftwareAttester(tpm, KUBE_NODE, 'ab'.repeat(32));
  const content = createClaimsContent(KUBE_NODE, [{ id: 'c1' }]);
  const { issuer, published } = await loadVerifierKeys(join(directory, 'verifier'), 'first');
  const trustFile = join(directory, 'trust.json');
  writeFileSync(trustFile, JSON.stringify(describeTrust(tpm, published[0])));
  const certify = async (period: Period): Promise<Buffer[]> => {
    const common = { ueid: tpm.ueid, kubeNode: KUBE_NODE, ...period };
    const issue = async (purpose: 'ak' | 'evidence', key: SoftwareTpm['ak']) =>
      await issuer.issue({ ...common, purpose, publicKey: key.publicKey.export({ type: 'spki', format: 'der' }) });
    return [await issue('ak', tpm.ak), await issue('evidence', tpm.signing)];
  };
  const makeSnapshot = async (nonce: string, changes: SnapshotChanges = {}): Promise<Snapshot> => {
    const { period = aroundNow(), fields = {}, ...round } = changes;
    const made = attester.makeRound(nonce, content, { ...round, holdfast: { seq: null, ...round.holdfast } });
    return create(SnapshotSchema, {
      kubeNode: KUBE_NODE,
      nonce,
      evidence: createFullEvidence(made),
      certificates: await certify(period),
      ekPublic: tpm.ek.public,
      akPublic: tpm.ak.public,
      signingPublic: tpm.signing.public,
      headChain: attester.chain,
      ...fields,
    });
  };
  const writeSnapshot = async (name: string, nonce: string, changes: SnapshotChanges = {}): Promise<string> => {
    const path = join(directory, name);
    writeFileSync(path, encodeSnapshotFile(await makeSnapshot(nonce, changes)));
    return path;
  };
  return { tpm, attester, content, trustFile, makeSnapshot, writeSnapshot };
}

/** As a verifier certifies keys that it enrolled an hour ago. */
function aroundNow(): Period {
  return { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + DAY_MS - HOUR_MS };
}

function describeTrust(tpm: SoftwareTpm, enrolmentKey: unknown): object {
  const validity = {
    validFrom: new Date(Date.now() - DAY_MS).toISOString(),
    validUntil: new Date(Date.now() + DAY_MS).toISOString(),
  };
  return {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: validity.validUntil,
    environment: 'development',
    keys: [{ ...Object(enrolmentKey), environment: 'development', scope: ['*'], ...validity }],
    eks: [{ kubeNode: KUBE_NODE, ekName: tpm.ek.name.toString('hex') }],
    ekRoots: [],
  };
}
