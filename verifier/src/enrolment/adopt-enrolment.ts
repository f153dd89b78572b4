import { X509Certificate } from 'node:crypto';
import {
  checkAkPublic,
  checkSigningPublic,
  computeKid,
  computeName,
  exportSigningJwk,
  parsePublic,
  publicToKeyObject,
} from '@holdfast/evidence';
import type { Snapshot } from '@holdfast/proto';
import { readPredecessors } from '../certificates/predecessors.ts';
import { verifyKeyCertificates } from '../certificates/verify-key-certificates.ts';
import type { EnrolledNode, EnrolmentStore } from '../store/enrolment-store.ts';
import { usableKeys } from '../trust/select-key.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import { admitEk } from './admit-ek.ts';
import { checkEkCertificates } from './endorsement.ts';
import type { KeySuccession } from './verify-succession.ts';

/** What of a snapshot says who a kube node is. */
export type EnrolmentClaims = Pick<
  Snapshot,
  'kubeNode' | 'certificates' | 'ekPublic' | 'ekCertificates' | 'akPublic' | 'signingPublic'
>;

/**
 * Takes over the enrolment that another verifier made: the EK is pinned here (see `admitEk`) and its
 * certificates hold (see `checkEkCertificates`); AK and signing key have
 * the attributes of their kind; both certificates are signed by an enrolment key of the trust file, are about these
 * keys, this EK and this name, and are valid now. That AK and EK share a TPM is the other verifier's word.
 *
 * Throws `VerifierError` as `admitEk` and `verifyKeyCertificates` do, or ERR_VERIFIER_CERTIFICATE_EXPIRED, and
 * `EvidenceError` for keys that do not parse.
 */
export function adoptEnrolment(
  claims: EnrolmentClaims,
  trust: Trust,
  store: Pick<EnrolmentStore, 'findLabel' | 'findEk'>,
  nowMs: number,
): EnrolledNode {
  const ek = admitEk(claims, trust, store);
  checkEkCertificates(ek, claims.ekCertificates, trust, nowMs);
  const { kubeNode, ueid, ekPublic, ekName } = ek;
  const akPublic = parsePublic(claims.akPublic);
  const signingPublic = parsePublic(claims.signingPublic);
  checkAkPublic(akPublic);
  checkSigningPublic(signingPublic);
  const [ak, signing] = claims.certificates;
  if (ak === undefined || signing === undefined) {
    throw new VerifierError('ERR_VERIFIER_NOT_ENROLLED', 'no verifier has enrolled this kube node yet');
  }
  const signingKey = publicToKeyObject(signingPublic);
  const period = verifyKeyCertificates({
    ak,
    signing,
    ueid,
    kubeNode,
    akKey: publicToKeyObject(akPublic),
    signingKey,
    authorities: listAuthorities(trust, nowMs),
  });
  if (nowMs < period.notBeforeMs || nowMs >= period.notAfterMs) {
    throw new VerifierError('ERR_VERIFIER_CERTIFICATE_EXPIRED', 'the certificates of this kube node are not valid now');
  }
  return {
    ueid,
    label: kubeNode,
    ekName: ekName.toString('hex'),
    ekPublic: ekPublic.encoded,
    ekCertificates: claims.ekCertificates.map((der) => Buffer.from(der)),
    akPublic: akPublic.encoded,
    signingPublic: signingPublic.encoded,
    kid: computeKid(exportSigningJwk(signingKey)),
    predecessors: readPredecessors(ak),
    issuedAtMs: nowMs,
    expiresAtMs: period.notAfterMs,
  };
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
