/** Predicate type of a SLSA Verification Summary Attestation v1. */
export const VSA_PREDICATE_TYPE = 'https://slsa.dev/verification_summary/v1';

const SLSA_VERSION = '1.0';
/** The end of the year 9999, the last that RFC 3339 can write. */
const MAX_TIME_S = 253_402_300_799;
const SHA_256 = /^[0-9a-f]{64}$/;

/** A document by where it is and its SHA-256 in hex. */
interface DocumentRef {
  readonly uri: string;
  readonly sha256: string;
}

/** What was verified about an artefact, by whom and by which policy. */
export interface VerificationSummary {
  /** URI of the verifier; consumers accept it only with the key that belongs to it. */
  readonly verifierId: string;
  /** Seconds since 1970. Always set: a summary has no end of its own, so consumers must apply a maximum age. */
  readonly timeVerified: number;
  /** Where consumers get the artefact from, such as `oci://registry/repository`. */
  readonly resourceUri: string;
  readonly policy: DocumentRef;
  /** Every attestation that was looked at: a list that leaves one out would be a false statement. */
  readonly inputAttestations: readonly DocumentRef[];
  readonly result: 'PASSED' | 'FAILED';
  /** SLSA levels and own properties that were truly verified; empty when the result is FAILED. */
  readonly verifiedLevels: readonly string[];
}

/**
 * Makes the predicate of a SLSA VSA v1 (https://slsa.dev/spec/v1.0/verification_summary), to be signed about an image
 * digest by `signStatement`.
 *
 * Throws `TypeError` when a digest is no SHA-256, a field is empty, or a failed summary claims levels.
 */
export function encodeVsa(summary: VerificationSummary): Record<string, unknown> {
  if (summary.verifierId === '' || summary.resourceUri === '') throw new TypeError('a VSA names verifier and resource');
  if (!Number.isSafeInteger(summary.timeVerified) || summary.timeVerified < 0 || summary.timeVerified > MAX_TIME_S) {
    throw new TypeError('a VSA needs whole seconds as its time');
  }
  if (summary.result === 'FAILED' && summary.verifiedLevels.length > 0) {
    throw new TypeError('a failed VSA verifies no level');
  }
  if (summary.result === 'PASSED' && summary.verifiedLevels.length === 0)
    throw new TypeError('a passed VSA names a level');
  return {
    verifier: { id: summary.verifierId },
    timeVerified: new Date(summary.timeVerified * 1000).toISOString().replace('.000Z', 'Z'),
    resourceUri: summary.resourceUri,
    policy: describe(summary.policy),
    inputAttestations: summary.inputAttestations.map(describe),
    verificationResult: summary.result,
    verifiedLevels: [...summary.verifiedLevels],
    slsaVersion: SLSA_VERSION,
  };
}

function describe({ uri, sha256 }: DocumentRef): { uri: string; digest: { sha256: string } } {
  if (uri === '' || !SHA_256.test(sha256)) throw new TypeError('a VSA names documents by URI and SHA-256');
  return { uri, digest: { sha256 } };
}
