import { X509Certificate } from 'node:crypto';
import {
  checkAkPublic,
  checkNonce,
  checkSigningPublic,
  computeKid,
  computeName,
  type EnrolledKeys,
  exportSigningJwk,
  parseBundle,
  parsePublic,
  parseToken,
  publicToKeyObject,
  verifyToken,
} from '@holdfast/evidence';
import type { Snapshot } from '@holdfast/proto';
import { readPredecessors } from '../certificates/predecessors.ts';
import {
  type CertifiedPeriod,
  type KeyCertificateClaims,
  verifyKeyCertificates,
} from '../certificates/verify-key-certificates.ts';
import type { EnrolledNode, EnrolmentStore } from '../store/enrolment-store.ts';
import { usableKeys } from '../trust/select-key.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { admitEk } from './admit-ek.ts';
import { checkEkCertificates } from './endorsement.ts';
import { BACKDATE_MS } from './enrol.ts';
import type { KeySuccession } from './verify-succession.ts';

/** What of a snapshot says who a kube node is. */
export type EnrolmentClaims = Pick<
  Snapshot,
  'kubeNode' | 'certificates' | 'ekPublic' | 'ekCertificates' | 'akPublic' | 'signingPublic' | 'evidence'
>;

/** Whose enrolment is to be taken over, and the nonce that was given for the snapshot which shows it. */
export interface AdoptionRequest {
  /** As the conversation's hello had it. */
  readonly ueid: string;
  /** SHA-256 of the TLS key with which the other side holds the conversation, hex. */
  readonly peerSpki: string;
  readonly nonce: string;
}

/**
 * Takes over the enrolment that another verifier made: it is about the kube node of the conversation; the EK is pinned
 * here (see `admitEk`) and its certificates hold (see `checkEkCertificates`); AK and signing key have
 * the attributes of their kind; both certificates are signed by an enrolment key of the trust file, are about these
 * keys, this EK and this name, are valid now and no older than those that are known; whoever holds the conversation has
 * these keys: a token of theirs names its TLS key and answers the nonce. That AK and EK share a TPM is the other
 * verifier's word.
 *
 * Throws `VerifierError` as `admitEk` and `verifyKeyCertificates` do, ERR_VERIFIER_IDENTITY, _CERTIFICATE_EXPIRED,
 * _UNKNOWN_KEY for older certificates, _MESSAGE without a token or _TLS_BINDING, and `EvidenceError` for keys that do not
 * parse and as `verifyToken` and `checkNonce` do.
 */
export function adoptEnrolment(
  claims: EnrolmentClaims,
  request: AdoptionRequest,
  trust: Trust,
  store: Pick<EnrolmentStore, 'findLabel' | 'findEk' | 'findNode'>,
  nowMs: number,
): EnrolledNode {
  const ek = admitEk(claims, trust, store);
  if (ek.ueid !== request.ueid) {
    throw new VerifierError('ERR_VERIFIER_IDENTITY', 'the snapshot is of another kube node than the conversation');
  }
  checkEkCertificates(ek, claims.ekCertificates, trust, nowMs);
  const { kubeNode, ueid, ekPublic, ekName } = ek;
  const { akPublic, signingPublic, signingKey, akKey } = readKeys(claims);
  const { period, predecessors } = checkCertificates(claims, ueid, { akKey, signingKey }, trust, nowMs);
  const before = store.findNode(ueid);
  const issuedAtMs = period.notBeforeMs + BACKDATE_MS;
  if (before !== undefined && issuedAtMs < before.issuedAtMs) {
    throw new VerifierError('ERR_VERIFIER_UNKNOWN_KEY', 'newer certificates of this kube node are known');
  }
  checkPossession(claims, { signingKey, akPublic: akPublic.encoded, ekName }, request);
  return {
    ueid,
    label: kubeNode,
    ekName: ekName.toString('hex'),
    ekPublic: ekPublic.encoded,
    ekCertificates: claims.ekCertificates.map((der) => Buffer.from(der)),
    akPublic: akPublic.encoded,
    signingPublic: signingPublic.encoded,
    kid: computeKid(exportSigningJwk(signingKey)),
    predecessors,
    issuedAtMs,
    expiresAtMs: period.notAfterMs,
  };
}

function readKeys(claims: EnrolmentClaims) {
  const akPublic = parsePublic(claims.akPublic);
  const signingPublic = parsePublic(claims.signingPublic);
  checkAkPublic(akPublic);
  checkSigningPublic(signingPublic);
  return { akPublic, signingPublic, akKey: publicToKeyObject(akPublic), signingKey: publicToKeyObject(signingPublic) };
}

function checkCertificates(
  { certificates, kubeNode }: EnrolmentClaims,
  ueid: string,
  keys: Pick<KeyCertificateClaims, 'akKey' | 'signingKey'>,
  trust: Trust,
  nowMs: number,
): { period: CertifiedPeriod; predecessors: readonly string[] } {
  const [ak, signing] = certificates;
  if (ak === undefined || signing === undefined) {
    throw new VerifierError('ERR_VERIFIER_NOT_ENROLLED', 'no verifier has enrolled this kube node yet');
  }
  const authorities = listAuthorities(trust, nowMs);
  const period = verifyKeyCertificates({ ak, signing, ueid, kubeNode, ...keys, authorities });
  if (nowMs < period.notBeforeMs || nowMs >= period.notAfterMs) {
    throw new VerifierError('ERR_VERIFIER_CERTIFICATE_EXPIRED', 'the certificates of this kube node are not valid now');
  }
  return { period, predecessors: readPredecessors(ak) };
}

/** Certificates are no secret: that they are shown says nothing of who shows them. */
function checkPossession({ evidence }: EnrolmentClaims, keys: EnrolledKeys, request: AdoptionRequest): void {
  const text = evidence?.token;
  if (text?.value === undefined) throw new VerifierError('ERR_VERIFIER_MESSAGE', 'the snapshot holds no token');
  const { claims } = verifyToken(text.case === 'bundle' ? parseBundle(text.value).token : parseToken(text.value), keys);
  checkNonce(claims, request.nonce);
  if (claims.holdfast.tls !== request.peerSpki) {
    throw new VerifierError('ERR_VERIFIER_TLS_BINDING', 'the snapshot names another TLS key than the conversation has');
  }
}

/**
 * What the AK of an adopted enrolment is to the one before. That it was rotated is the word of the verifier that issued
 * its certificate, as is that AK and EK share a TPM.
 */
export function judgeAdoption(
  adopted: Pick<EnrolledNode, 'akPublic' | 'predecessors'>,
  before: Pick<EnrolledNode, 'akPublic'> | undefined,
): KeySuccession {
  if (before === undefined) return 'first';
  if (before.akPublic.equals(adopted.akPublic)) return 'same';
  const name = computeName(parsePublic(before.akPublic)).toString('hex');
  return adopted.predecessors.includes(name) ? 'rotated' : 'replaced';
}

function listAuthorities(trust: Trust, now: number): X509Certificate[] {
  const keys = usableKeys(trust, { role: 'enrolment', environment: trust.environment, now });
  return keys.flatMap(({ certificate }) => (certificate === undefined ? [] : [new X509Certificate(certificate)]));
}
