import type { EarProfile } from './ear.ts';

/** How one generation of EAR names its claims. */
export interface EarNames {
  /** Value of `eat_profile`. */
  readonly tag: string;
  readonly status: string;
  readonly vector: string;
  readonly policies: string;
  readonly verifier: string;
  /** The draft has a list of policies, what is deployed one string. */
  readonly hasPolicyList: boolean;
  /** Whether the draft defines an overall status and a nonce for each submodule. */
  readonly hasOverallStatus: boolean;
}

/**
 * The two incompatible generations of EAR: draft-ietf-rats-ear-03, and what Veraison's libraries and services have
 * deployed. Every name that may change with the draft stands here and nowhere else.
 */
export const EAR_PROFILES: Readonly<Record<EarProfile, EarNames>> = {
  'ietf-ear-03': {
    tag: 'tag:ietf.org,2026:rats/ear#03',
    status: 'ear_status',
    vector: 'ear_trustworthiness_vector',
    policies: 'ear_appraisal_policy_ids',
    verifier: 'ear_verifier_id',
    hasPolicyList: true,
    hasOverallStatus: true,
  },
  'veraison-2023': {
    tag: 'tag:github.com,2023:veraison/ear',
    status: 'ear.status',
    vector: 'ear.trustworthiness-vector',
    policies: 'ear.appraisal-policy-id',
    verifier: 'ear.verifier-id',
    hasPolicyList: false,
    hasOverallStatus: false,
  },
};

/** The profile with this `eat_profile`, undefined for all others: the profile of evidence among them. */
export function findEarProfile(tag: unknown): EarProfile | undefined {
  const profiles: readonly EarProfile[] = ['ietf-ear-03', 'veraison-2023'];
  return profiles.find((profile) => EAR_PROFILES[profile].tag === tag);
}
