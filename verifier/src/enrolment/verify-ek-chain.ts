import type { KeyObject } from 'node:crypto';
import { isSameKey } from '../certificates/is-same-key.ts';
import { type Certificate, parseCertificate } from '../certificates/x509/certificate.ts';
import { DerError } from '../certificates/x509/der.ts';
import { describeName, isSameName } from '../certificates/x509/distinguished-name.ts';
import { checkNameConstraints } from '../certificates/x509/name-constraints.ts';
import { checkSignature } from '../certificates/x509/verify-signature.ts';
import { VerifierError, type VerifierErrorCode } from '../verifier-error.ts';

export interface EkChainInput {
  /** DER as the agent sent it: certificates of the EK and of its issuers, in any order. */
  readonly certificates: readonly Uint8Array[];
  readonly ekKey: KeyObject;
  /** Out of the trust file: where a chain must end, and issuers that may stand in it. */
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** A chain that held when it was looked at. */
export interface EkChain {
  /** End of the first certificate of the chain that ends; milliseconds since 1970. */
  readonly notAfterMs: number;
}

/** tcg-kp-EKCertificate (TCG EK Credential Profile for TPM 2.0, §3.2.16). */
const EK_USAGE = '2.23.133.8.1';
const MAX_ISSUERS = 6;
/** Issuers by one name may be many; this bounds what a sender can make us compute. */
const MAX_SIGNATURES = 64;

interface Search {
  readonly input: EkChainInput;
  readonly pool: readonly Certificate[];
  signaturesLeft: number;
}

/**
 * Verifies that a certificate of the EK chains to one of the configured roots (RFC 5280 §6, TCG EK Credential Profile),
 * in this order: a certificate parses and is about this very key; it is valid now, that of no CA, for an EK where it
 * says for what, and has no critical extension that is not understood; where several are about this key, one that holds is
 * enough, and otherwise the fault of the first one counts. Then for each issuer up to a root: found by name;
 * the signature, with an algorithm that counts; valid now; a CA that may sign certificates, and that many below it; names
 * below it within its constraints. Roots are checked like any other issuer.
 *
 * It proves a genuine TPM of that maker, not which machine it is in: admission is for the pin. Revocation lists are not
 * fetched; a maker's broken issuer is withdrawn by taking its root out, a single EK by its Name.
 *
 * Throws `VerifierError` with ERR_VERIFIER_EK_CERTIFICATE_* about the EK's own certificate, ERR_VERIFIER_EK_CHAIN_*
 * about an issuer.
 */
export function verifyEkChain(input: EkChainInput): EkChain {
  const parsed = input.certificates.flatMap(parseOrSkip);
  const own = parsed.filter(({ publicKey }) => isSameKey(publicKey, input.ekKey));
  if (own.length === 0) throw explainMissing(input.certificates.length, parsed.length);
  const pool = [...parsed.filter((certificate) => !own.includes(certificate)), ...input.intermediates];
  const search = { input, pool, signaturesLeft: MAX_SIGNATURES };
  return takeFirst(
    own.map((leaf) => () => {
      checkLeaf(leaf, input.nowMs);
      return climb(leaf, [leaf], search);
    }),
  );
}

function explainMissing(given: number, parsed: number): VerifierError {
  if (given === 0) return refuse('ERR_VERIFIER_EK_CERTIFICATE_MISSING', 'the TPM holds no certificate of its EK');
  if (parsed < given) {
    return refuse(
      'ERR_VERIFIER_EK_CERTIFICATE_MALFORMED',
      'no certificate is about this EK, and at least one cannot be read',
    );
  }
  return refuse('ERR_VERIFIER_EK_CERTIFICATE_KEY', 'the EK certificates are about another key');
}

/** The first of these ways that leads to a root. Of several that fail, the error of the first one counts. */
function takeFirst(ways: readonly (() => EkChain)[]): EkChain {
  let failure: VerifierError | undefined;
  for (const way of ways) {
    try {
      return way();
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new TypeError('there is no way to try');
}

function parseOrSkip(bytes: Uint8Array): Certificate[] {
  try {
    return [parseCertificate(bytes)];
  } catch (error) {
    if (error instanceof DerError) return [];
    throw error;
  }
}

function checkLeaf(leaf: Certificate, nowMs: number): void {
  const { isAuthority, keyUsage, extendedKeyUsage, unknownCritical } = leaf.extensions;
  if (!isValidAt(leaf, nowMs))
    throw refuse('ERR_VERIFIER_EK_CERTIFICATE_EXPIRED', 'the EK certificate is not valid now');
  if (isAuthority || keyUsage?.signsCertificates === true) {
    throw refuse('ERR_VERIFIER_EK_CERTIFICATE_CA', 'the EK certificate is that of a CA');
  }
  if (keyUsage?.protectsSecrets === false || extendedKeyUsage?.includes(EK_USAGE) === false) {
    throw refuse('ERR_VERIFIER_EK_CERTIFICATE_USAGE', 'the certificate is not for an EK');
  }
  if (unknownCritical.length > 0) throw refuseExtension(leaf, unknownCritical);
}

/** Looks for an issuer, roots first. */
function climb(certificate: Certificate, below: readonly Certificate[], search: Search): EkChain {
  const isNext = (candidate: Certificate) =>
    isSameName(candidate.subject, certificate.issuer) && !below.includes(candidate);
  const toRoots = search.input.roots.filter(isNext).map((root) => () => {
    checkIssuer(root, certificate, below, search);
    return { notAfterMs: Math.min(...[root, ...below].map(({ notAfterMs }) => notAfterMs)) };
  });
  const issuers = below.length > MAX_ISSUERS ? [] : search.pool.filter(isNext);
  const toIssuers = issuers.map((issuer) => () => {
    checkIssuer(issuer, certificate, below, search);
    return climb(issuer, [issuer, ...below], search);
  });
  const ways = [...toRoots, ...toIssuers];
  if (ways.length > 0) return takeFirst(ways);
  throw refuse('ERR_VERIFIER_EK_CHAIN_ISSUER', `no root and no intermediate is ${describeName(certificate.issuer)}`);
}

function checkIssuer(
  issuer: Certificate,
  certificate: Certificate,
  below: readonly Certificate[],
  search: Search,
): void {
  const name = describeName(issuer.subject);
  search.signaturesLeft -= 1;
  if (search.signaturesLeft < 0) throw refuse('ERR_VERIFIER_EK_CHAIN_ISSUER', 'too many certificates share a name');
  const signature = checkSignature(certificate, issuer.publicKey);
  if (signature === 'weak')
    throw refuse('ERR_VERIFIER_EK_CHAIN_ALGORITHM', `the signature by ${name} is of a kind that does not count`);
  if (signature === 'bad') throw refuse('ERR_VERIFIER_EK_CHAIN_SIGNATURE', `the signature by ${name} does not verify`);
  if (!isValidAt(issuer, search.input.nowMs)) throw refuse('ERR_VERIFIER_EK_CHAIN_EXPIRED', `${name} is not valid now`);
  const { isAuthority, keyUsage, pathLength, nameConstraints, unknownCritical } = issuer.extensions;
  if (!isAuthority || keyUsage?.signsCertificates === false) {
    throw refuse('ERR_VERIFIER_EK_CHAIN_CA', `${name} is no CA that may sign certificates`);
  }
  // RFC 5280 §4.2.1.9: the last certificate and the self-issued do not count.
  const authorities = below.slice(0, -1).filter((each) => !isSameName(each.subject, each.issuer));
  if (pathLength !== null && authorities.length > pathLength) {
    throw refuse('ERR_VERIFIER_EK_CHAIN_LENGTH', `${name} allows ${pathLength} CAs below it`);
  }
  if (unknownCritical.length > 0) throw refuseExtension(issuer, unknownCritical);
  if (nameConstraints !== null && !below.every((each) => checkNameConstraints(each, nameConstraints))) {
    throw refuse('ERR_VERIFIER_EK_CHAIN_NAMES', `${name} may not certify these names`);
  }
}

function isValidAt({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): boolean {
  return notBeforeMs <= nowMs && nowMs <= notAfterMs;
}

function refuseExtension({ subject }: Certificate, oids: readonly string[]): VerifierError {
  return refuse(
    'ERR_VERIFIER_EK_CHAIN_CRITICAL',
    `${describeName(subject)} has critical extensions that are unknown: ${oids[0]}`,
  );
}

function refuse(code: VerifierErrorCode, message: string): VerifierError {
  return new VerifierError(code, message);
}
