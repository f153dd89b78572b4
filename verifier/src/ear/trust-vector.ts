import type { AppraisalStatus } from '../appraisal/finding-code.ts';
import type { TrustVector } from './ear.ts';

/** The eight claims of AR4SI, as named here and in JSON. */
export const VECTOR_CLAIMS: readonly (readonly [keyof TrustVector, string])[] = [
  ['instanceIdentity', 'instance-identity'],
  ['configuration', 'configuration'],
  ['executables', 'executables'],
  ['fileSystem', 'file-system'],
  ['hardware', 'hardware'],
  ['runtimeOpaque', 'runtime-opaque'],
  ['storageOpaque', 'storage-opaque'],
  ['sourcedData', 'sourced-data'],
];

/** From best to worst: a thing of which nothing can be said is worse than one that is merely questionable. */
const BADNESS: Readonly<Record<AppraisalStatus, number>> = { affirming: 0, warning: 1, none: 2, contraindicated: 3 };

/** Whether a number can stand in a vector: a signed byte (draft-ietf-rats-ar4si). */
export function isVectorClaim(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= -128 && value <= 127;
}

/** The tier of a claim's value, the ranges below zero included. */
export function classifyClaim(value: number): AppraisalStatus {
  if (value >= -1 && value <= 1) return 'none';
  if (value >= -32 && value <= 31) return 'affirming';
  return value >= -96 && value <= 95 ? 'warning' : 'contraindicated';
}

/**
 * The best status that a vector allows: that of its worst claim. A claim of 0 says nothing and counts for nothing, but
 * a vector that says nothing at all is `none`; 1 (unknown evidence) and -1 (verifier malfunction) are `none` too.
 */
export function capStatus(vector: TrustVector): AppraisalStatus {
  const claims = VECTOR_CLAIMS.map(([name]) => vector[name] ?? 0).filter((value) => value !== 0);
  if (claims.length === 0) return 'none';
  return worstOf(claims.map(classifyClaim));
}

/** Whether `status` claims more than `cap` allows. */
export function isBetter(status: AppraisalStatus, cap: AppraisalStatus): boolean {
  return BADNESS[status] < BADNESS[cap];
}

/** The worst of some statuses; affirming where there is none, so the caller must not ask about nothing. */
export function worstOf(statuses: readonly AppraisalStatus[]): AppraisalStatus {
  return statuses.reduce((worst, status) => (BADNESS[status] > BADNESS[worst] ? status : worst), 'affirming');
}
