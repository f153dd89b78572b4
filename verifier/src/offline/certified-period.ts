import type { CertifiedPeriod } from '../certificates/verify-key-certificates.ts';
import { VerifierError } from '../verifier-error.ts';

/** The clocks of the kube node, of the verifier that enrolled it and of whoever looks need not agree to the second. */
const SKEW_MS = 60_000;

/** Whether key certificates held at a time, give or take a minute; milliseconds since 1970. */
export function isCertifiedAt({ notBeforeMs, notAfterMs }: CertifiedPeriod, ms: number): boolean {
  return notBeforeMs - SKEW_MS <= ms && ms <= notAfterMs + SKEW_MS;
}

/**
 * Checks that key certificates hold now, as those of evidence do that was asked for a moment ago. Throws `VerifierError`
 * ERR_VERIFIER_CERTIFICATE_EXPIRED.
 */
export function checkCertifiedNow(certified: CertifiedPeriod, nowMs: number): void {
  if (isCertifiedAt(certified, nowMs)) return;
  throw new VerifierError(
    'ERR_VERIFIER_CERTIFICATE_EXPIRED',
    'the key certificates do not hold now, and so this is no answer to a nonce of today: without a nonce, older evidence is judged by the time that it names',
  );
}
