import type { KeyObject } from 'node:crypto';
import type { Certificate } from '../certificates/x509/certificate.ts';

/** What a key may be used for. A key has exactly one role. */
export type TrustRole = 'sbom' | 'provenance' | 'boot' | 'agent' | 'enrolment' | 'result';

/** Where a key counts: a key of one environment never passes in another. */
export type TrustEnvironment = 'development' | 'staging' | 'production';

/**
 * The signature algorithm that is pinned to a key when the trust file is loaded; names as in RFC 7518 and RFC 8037.
 * Nothing in a signed message can choose another one.
 */
export type TrustAlgorithm = 'ES256' | 'ES384' | 'EdDSA' | 'RS256' | 'PS256';

/** A key of the trust file. Times are milliseconds since 1970. */
export interface TrustKey {
  readonly id: string;
  readonly role: TrustRole;
  readonly environment: TrustEnvironment;
  readonly algorithm: TrustAlgorithm;
  readonly publicKey: KeyObject;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly spkiSha256: string;
  /** PEM of the issuing certificate; only for role `enrolment`. */
  readonly certificate?: string;
  /** Exact names, `prefix/*`, or `*`. */
  readonly scope: readonly string[];
  readonly validFromMs: number;
  readonly validUntilMs: number;
  readonly revokedAtMs?: number;
}

/** The operator's word about which keys and machines count. Made by `loadTrust` alone. */
export interface Trust {
  /** Rises with each change; never rolled back. */
  readonly version: number;
  readonly expiresMs: number;
  readonly environment: TrustEnvironment;
  /** SHA-256 of the file's bytes, hex. */
  readonly digest: string;
  readonly keys: readonly TrustKey[];
  /** One for each pinned endorsement key. */
  readonly eks: readonly EkPin[];
  /** Certificates in which chains of EK certificates must end, and others that may stand in them. Not verified here. */
  readonly ekRoots: readonly Certificate[];
  readonly ekIntermediates: readonly Certificate[];
}

/** The operator's word that an EK is that of a machine that may enrol. */
export interface EkPin {
  /** Null for any name. */
  readonly kubeNode: string | null;
  /** nameAlg and digest, hex. */
  readonly ekName: string;
  /** Names of all EKs of the same machine, this one among them: one of them at a time may be enrolled. */
  readonly machine: readonly string[];
  /**
   * `chain`: a chain of EK certificates to one of the roots is needed as well; `pin`: EK certificates are not looked at.
   * Left out: those that the TPM has must hold wherever there are roots.
   */
  readonly endorsement?: 'chain' | 'pin';
}

/** Why a key does not count for what it is asked for. */
export type KeyRefusal =
  | 'TRUST_EXPIRED'
  | 'KEY_UNKNOWN'
  | 'KEY_ROLE'
  | 'KEY_ENVIRONMENT'
  | 'KEY_REVOKED'
  | 'KEY_EXPIRED'
  | 'KEY_SCOPE';

/** What a key is asked for. */
export interface KeyUse {
  readonly role: TrustRole;
  readonly environment: TrustEnvironment;
  /** Milliseconds since 1970, by the verifier's clock. */
  readonly now: number;
  /** Signed subject name that the scope must cover; left out where the role has no subject. */
  readonly subjectName?: string;
}
