import { type KeyObject, X509Certificate } from 'node:crypto';
import { VerifierError } from '../verifier-error.ts';
import { type KeyPurpose, subjectUris } from './certificate-issuer.ts';
import { isSameKey } from './is-same-key.ts';
import { parsePredecessors } from './predecessors.ts';

/** What a pair of certificates must say. */
export interface KeyCertificateClaims {
  /** DER of the AK certificate and of the signing key certificate. */
  readonly ak: Uint8Array;
  readonly signing: Uint8Array;
  readonly ueid: string;
  readonly kubeNode: string;
  readonly akKey: KeyObject;
  readonly signingKey: KeyObject;
  /** Enrolment certificates out of a trust file: nothing else can vouch for the keys. */
  readonly authorities: readonly X509Certificate[];
}

/** Where both certificates hold; milliseconds since 1970. */
export interface CertifiedPeriod {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Verifies the two certificates of an enrolled kube node, each in this order: signature by one of the authorities and
 * issuer name; the public key; that it is no CA; purpose, ueid and kube node, and nothing else but the predecessors of an AK. Returns when both are valid and does not
 * compare that with any clock: that is the caller's part.
 *
 * Throws `VerifierError` ERR_VERIFIER_UNKNOWN_KEY.
 */
export function verifyKeyCertificates(claims: KeyCertificateClaims): CertifiedPeriod {
  const ak = verifyOne(claims, 'ak', claims.ak, claims.akKey);
  const signing = verifyOne(claims, 'evidence', claims.signing, claims.signingKey);
  return {
    notBeforeMs: Math.max(ak.validFromDate.getTime(), signing.validFromDate.getTime()),
    notAfterMs: Math.min(ak.validToDate.getTime(), signing.validToDate.getTime()),
  };
}

function verifyOne(claims: KeyCertificateClaims, purpose: KeyPurpose, der: Uint8Array, key: KeyObject) {
  const what = purpose === 'ak' ? 'the AK certificate' : 'the signing key certificate';
  const certificate = parse(der, what);
  const issuer = claims.authorities.find(
    (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );
  if (issuer === undefined) throw refuse(`no enrolment key of the trust file signed ${what}`);
  if (!isSameKey(certificate.publicKey, key)) throw refuse(`${what} is about another key`);
  if (certificate.ca) throw refuse(`${what} is that of a CA`);
  const names = (certificate.subjectAltName ?? '').split(', ');
  const expected = subjectUris({ purpose, ueid: claims.ueid, kubeNode: claims.kubeNode }).map((uri) => `URI:${uri}`);
  const others = names.slice(expected.length).map((name) => name.replace(/^URI:/, ''));
  const isExpected = expected.every((uri, index) => names[index] === uri);
  const isAllowed = purpose === 'ak' ? parsePredecessors(others) !== undefined : others.length === 0;
  if (!isExpected || !isAllowed) throw refuse(`${what} names another kube node, TPM or purpose`);
  return certificate;
}

function parse(der: Uint8Array, what: string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new VerifierError('ERR_VERIFIER_UNKNOWN_KEY', `${what} is no X.509 certificate`, { cause });
  }
}

function refuse(message: string): VerifierError {
  return new VerifierError('ERR_VERIFIER_UNKNOWN_KEY', message);
}
