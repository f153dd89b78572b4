import { X509Certificate } from 'node:crypto';
import {
  checkNonce,
  computeName,
  listNonces,
  type PreparedKeys,
  parsePublic,
  prepareEnrolledKeys,
  publicToKeyObject,
  type VerifiedToken,
  verifyToken,
} from '@holdfast/evidence';
import { parseSnapshotFile, type Result, type Snapshot } from '@holdfast/proto';
import type { AppraisalPolicy, Endorsement, VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import { appraise } from '../appraisal/appraise.ts';
import type { ApplicableBoot } from '../boot/appraise-boot-reference.ts';
import { judgeBoot } from '../boot/boot-judge.ts';
import { type CertifiedPeriod, verifyKeyCertificates } from '../certificates/verify-key-certificates.ts';
import { judgeEndorsement } from '../enrolment/endorsement.ts';
import { createKernelBaseline, createKernelJudge } from '../kernel/kernel-baseline.ts';
import type { SbomReference } from '../reference-book/reference-book.ts';
import type { AgentBuild } from '../references/agent-files.ts';
import { appliesToKubeNode, findSubject, verifyReference } from '../references/verify-reference.ts';
import { buildResult } from '../results/build-result.ts';
import { type ConcludedLogs, concludeLogs } from '../session/conclude-logs.ts';
import { findAgentRoot, joinOffline } from '../session/join-measured.ts';
import { parseRound, type UnverifiedRound } from '../session/parse-round.ts';
import { createEvidenceResolver, type ResolvedEvidence } from '../session/resolve-evidence.ts';
import { readQuotes } from '../session/verify-round.ts';
import { usableKeys } from '../trust/select-key.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { checkCertifiedNow, isCertifiedAt } from './certified-period.ts';

export interface SnapshotInputs {
  /** The operator's trust file: pinned EKs, enrolment certificates, SBOM keys. */
  readonly trust: Trust;
  /** Envelopes of signed references; those that do not hold are told in `refusedReferences`. */
  readonly references: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Milliseconds since 1970, by the clock of whoever verifies. */
  readonly now: number;
  /** The nonce that the responder asked with, where it is still known. */
  readonly nonce?: string;
}

/** What an offline verification of a snapshot shows. */
export interface VerifiedSnapshot {
  readonly token: VerifiedToken;
  /** Keys that the enrolment certificates vouch for: good for other tokens of this kube node. */
  readonly keys: PreparedKeys;
  readonly ekName: string;
  /** Every nonce that the quotes answer. Only a nonce of one's own shows that they are not older than it. */
  readonly nonces: readonly string[];
  readonly nonceMatches: boolean | null;
  /** Where both key certificates hold. */
  readonly certified: CertifiedPeriod;
  /** The kube node's own word on the time. */
  readonly issuedAtMs: number;
  /** Whether they held then. Where not, and no nonce of one's own was given, nothing vouches for the keys at any time. */
  readonly certifiedAtIssue: boolean;
  /** Head of the standing chain, as the agent gave it. Unverified. */
  readonly head: { readonly chain: string; readonly seq: string };
  /** Appraised with the default policy and the given references; `ear` is empty: nobody signed it. */
  readonly result: Result;
  readonly refusedReferences: readonly { readonly name: string; readonly reason: string }[];
}

/** As a verifier's default: see its settings. */
const POLICY: AppraisalPolicy = { maxPendingMs: 5000, judgeKernel: createKernelJudge(createKernelBaseline()) };
const MAX_ROUND_BYTES = 512 * 1024 * 1024;

/**
 * Verifies a snapshot file without a network, in this order: checksum and form; the EK against the pinned ones, with a
 * chain of EK certificates where its row asks for one; AK and
 * signing key against the certificates of an enrolment key of the trust file; token, signature, both quotes and their
 * binding; that the token carries the snapshot's nonce and, where `nonce` is given, that one, with certificates that hold
 * now; that every claims-set and document which the token reaches is there under its digest. Then the evidence is
 * appraised.
 *
 * What it proves is what the agent said at the time of the nonce, signed by a key in the pinned TPM. Throws
 * `SnapshotFileError`, `VerifierError` or `EvidenceError`; a snapshot that holds but shows findings is a value.
 */
export async function verifySnapshot(bytes: Uint8Array, inputs: SnapshotInputs): Promise<VerifiedSnapshot> {
  const snapshot = parseSnapshotFile(bytes);
  const { evidence } = snapshot;
  if (evidence === undefined) throw refuse('ERR_VERIFIER_MESSAGE', 'the snapshot holds no evidence');
  const ekName = computeName(parsePublic(snapshot.ekPublic));
  const endorsement = judgeEk(snapshot, ekName, inputs);
  const keys = prepareKeys(snapshot, ekName);
  const certified = checkCertificates(snapshot, keys.ueid, inputs);
  const round = parseRound(evidence, MAX_ROUND_BYTES);
  const token = verifyToken(round.token, keys);
  checkIdentity(snapshot, token, keys.ueid);
  checkNonces(snapshot, token, certified, inputs);
  const references = readReferences(inputs, snapshot.kubeNode);
  const resolved = resolveContent(token, round, references.accepted);
  const logs = await concludeSnapshotLogs(token, keys, resolved, round);
  const verified: VerifiedEvidence = {
    evidenceId: token.evidenceId,
    kubeNode: snapshot.kubeNode,
    claims: token.claims,
    quotes: readQuotes(token),
    receivedAtMs: inputs.now,
    chainFindings: [],
    bootReferences: references.boots,
    bootLog: logs?.boot ?? null,
    imaLog: logs?.ima ?? null,
    imaFiles: joinOffline(resolved.sets, token.claims, logs, references.builds),
    ...resolved.sets,
  };
  return {
    token,
    keys,
    ekName: ekName.toString('hex'),
    nonces: listNonces(token.claims),
    nonceMatches: inputs.nonce === undefined ? null : true,
    ...describeTime(token, certified),
    head: { chain: snapshot.headChain, seq: String(snapshot.headSeq) },
    result: buildResult(verified, appraise(verified, endorsement, POLICY), '', inputs.now),
    refusedReferences: references.refused,
  };
}

function prepareKeys({ signingPublic, akPublic }: Snapshot, ekName: Buffer): PreparedKeys {
  return prepareEnrolledKeys({ signingKey: publicToKeyObject(parsePublic(signingPublic)), akPublic, ekName });
}

function checkNonces(
  snapshot: Snapshot,
  { claims }: VerifiedToken,
  certified: CertifiedPeriod,
  inputs: SnapshotInputs,
): void {
  checkNonce(claims, snapshot.nonce);
  if (inputs.nonce === undefined) return;
  checkNonce(claims, inputs.nonce);
  checkCertifiedNow(certified, inputs.now);
}

function describeTime(
  { claims }: VerifiedToken,
  certified: CertifiedPeriod,
): Pick<VerifiedSnapshot, 'certified' | 'issuedAtMs' | 'certifiedAtIssue'> {
  const issuedAtMs = claims.iat * 1000;
  return { certified, issuedAtMs, certifiedAtIssue: isCertifiedAt(certified, issuedAtMs) };
}

function resolveContent(
  { claims }: VerifiedToken,
  { contents }: UnverifiedRound,
  references: readonly Reference[],
): ResolvedEvidence {
  const resolver = createEvidenceResolver((manifest) => findSboms(references, manifest));
  const resolved = resolver.resolve(claims, {
    has: (digest) => contents.has(digest),
    read: (digest) => contents.get(digest),
  });
  const [missing] = resolved.missing;
  if (missing === undefined) return resolved;
  throw refuse('ERR_VERIFIER_SUPPLY', `the snapshot lacks content that its evidence names: ${missing.digest}`);
}

/** Only what the snapshot holds counts: there is nobody to ask, and nothing is known from before. */
async function concludeSnapshotLogs(
  token: VerifiedToken,
  keys: PreparedKeys,
  resolved: ResolvedEvidence,
  round: UnverifiedRound,
): Promise<ConcludedLogs | undefined> {
  return await concludeLogs(token, {
    akName: keys.ak?.name.toString('hex') ?? '',
    concludeBoot: (quote, userspaceLog) => judgeBoot(resolved, quote, userspaceLog),
    segments: round.imaSegments,
    ask: async () => await Promise.resolve(undefined),
    take: () => true,
    userspaceLog: round.userspaceLog,
    askUserspaceLog: async () => await Promise.resolve(undefined),
    session: undefined,
    agentRoot: findAgentRoot(resolved.sets),
    measured: undefined,
  });
}

function checkPinned(ekName: string, kubeNode: string, trust: Trust): void {
  const pin = trust.eks.find((entry) => entry.ekName === ekName);
  if (pin === undefined) {
    throw refuse('ERR_VERIFIER_EK_UNKNOWN', `the trust file does not pin the EK of this snapshot (${ekName})`);
  }
  if (pin.kubeNode !== null && pin.kubeNode !== kubeNode) {
    throw refuse('ERR_VERIFIER_EK_OTHER_NAME', `the trust file pins this EK for the kube node ${pin.kubeNode}`);
  }
}

function judgeEk(
  { kubeNode, ekPublic, ekCertificates }: Snapshot,
  ekName: Buffer,
  { trust, now }: SnapshotInputs,
): Endorsement {
  const ek = { ekName: ekName.toString('hex'), ekPublic: Buffer.from(ekPublic), ekCertificates };
  checkPinned(ek.ekName, kubeNode, trust);
  const endorsement = judgeEndorsement(ek, trust, now);
  if (endorsement !== 'withdrawn') return endorsement;
  throw refuse('ERR_VERIFIER_EK_REVOKED', 'the trust file asks for a chain of EK certificates, and none holds');
}

function checkCertificates(snapshot: Snapshot, ueid: string, { trust, now }: SnapshotInputs): CertifiedPeriod {
  const [ak, signing] = snapshot.certificates;
  if (ak === undefined || signing === undefined) {
    throw refuse('ERR_VERIFIER_NOT_ENROLLED', 'the snapshot has no certificates: its kube node was not enrolled');
  }
  const authorities = usableKeys(trust, { role: 'enrolment', environment: trust.environment, now }).flatMap((key) =>
    key.certificate === undefined ? [] : [new X509Certificate(key.certificate)],
  );
  if (authorities.length === 0) {
    throw refuse(
      'ERR_VERIFIER_TRUST',
      'the trust file has no valid key with role enrolment: whose certificates count?',
    );
  }
  return verifyKeyCertificates({
    ak,
    signing,
    ueid,
    kubeNode: snapshot.kubeNode,
    akKey: publicToKeyObject(parsePublic(snapshot.akPublic)),
    signingKey: publicToKeyObject(parsePublic(snapshot.signingPublic)),
    authorities,
  });
}

function checkIdentity(snapshot: Snapshot, token: VerifiedToken, ueid: string): void {
  const { claims } = token;
  if (claims.ueid !== ueid || claims.holdfast.kubeNode !== snapshot.kubeNode) {
    throw refuse('ERR_VERIFIER_IDENTITY', 'the evidence names another kube node than the snapshot');
  }
}

interface Reference {
  readonly reference: SbomReference;
  readonly verified: ReturnType<typeof verifyReference>;
}

function readReferences({ references, trust, now }: SnapshotInputs, kubeNode: string) {
  const accepted: Reference[] = [];
  const boots: ApplicableBoot[] = [];
  const builds: AgentBuild[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const { name, bytes } of references) {
    try {
      const verified = verifyReference(bytes, trust, { environment: trust.environment, now });
      const { digest, keyId } = verified;
      if (verified.kind === 'agent') builds.push(verified.agent);
      if (verified.kind === 'boot' && appliesToKubeNode(verified, kubeNode)) {
        boots.push({ digest, keyId, reference: verified.boot });
      }
      if (verified.kind !== 'sbom') continue;
      accepted.push({ verified, reference: { digest, keyId, sbom: verified.sbom } });
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      refused.push({ name, reason: error.message });
    }
  }
  return { accepted, boots, builds, refused };
}

function findSboms(references: readonly Reference[], manifest: string): SbomReference[] {
  return references
    .filter(({ verified }) => findSubject(verified, manifest) !== undefined)
    .map(({ reference }) => reference);
}

function refuse(code: VerifierError['code'], message: string): VerifierError {
  return new VerifierError(code, message);
}
