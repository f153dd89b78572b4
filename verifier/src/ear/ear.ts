import type { AppraisalStatus } from '../appraisal/finding-code.ts';

/** Which of the two incompatible generations of names a token uses; one per token, never mixed. */
export type EarProfile = 'ietf-ear-03' | 'veraison-2023';

/** AR4SI claims of one appraised thing: integers -128..127; a claim about which nothing is known is left out. */
export interface TrustVector {
  readonly instanceIdentity?: number;
  readonly configuration?: number;
  readonly executables?: number;
  readonly fileSystem?: number;
  readonly hardware?: number;
  readonly runtimeOpaque?: number;
  readonly storageOpaque?: number;
  readonly sourcedData?: number;
}

/** The result for one kube node or container. */
export interface EarSubmodule {
  /** Never better than the worst claim of `vector`. */
  readonly status: AppraisalStatus;
  readonly vector: TrustVector;
  readonly policyIds: readonly string[];
  /** Nonce of the evidence that this rests on. */
  readonly nonce?: string;
  /** Holdfast's own part (base, findings, digests), under one private claim. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An Attestation Result before it is signed or after it was verified. Times are seconds since 1970. */
export interface Ear {
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly id: string;
  readonly verifier: { readonly developer: string; readonly build: string };
  /** The relying party's own nonce. */
  readonly nonce?: string;
  /** Label to result: `node`, and `container:<id>` for each container. */
  readonly submods: Readonly<Record<string, EarSubmodule>>;
}

declare const verifiedEar: unique symbol;

/** An Attestation Result whose signature, key, profile, times and statuses were verified by `verifyEar`. */
export type VerifiedEar = Ear & { readonly [verifiedEar]: true; readonly profile: EarProfile; readonly keyId: string };
