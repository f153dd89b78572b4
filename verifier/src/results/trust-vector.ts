import type { Appraisal, ContainerAppraisal } from '../appraisal/appraise.ts';
import type { AppraisalStatus } from '../appraisal/finding-code.ts';
import type { TrustVector } from '../ear/ear.ts';

/** The value in the middle of each tier (draft-ietf-rats-ar4si, 2.3); a claim about which nothing is known is left out. */
const TIER_VALUES: Record<AppraisalStatus, number | undefined> = {
  none: undefined,
  affirming: 2,
  warning: 32,
  contraindicated: 96,
};

/**
 * The trust vector of a kube node: that it is the enrolled one, from the verified quotes; its configuration, from boot,
 * IMA and kernel findings. Nothing is claimed of its hardware while only a pin vouches for the EK.
 */
export function kubeNodeVector({ status, tiers }: Appraisal): TrustVector {
  return toVector(status, tiers);
}

/** The trust vector of a container: what it can execute, and the rest of its file system. */
export function containerVector({ status, tiers }: ContainerAppraisal): TrustVector {
  return toVector(status, tiers);
}

/** Where nothing is decided as a whole, a good part of it must not read as good. */
function toVector(status: AppraisalStatus, claims: Partial<Record<keyof TrustVector, AppraisalStatus>>): TrustVector {
  const entries = Object.entries(claims).flatMap(([name, claim]) => {
    const value = status === 'none' && claim === 'affirming' ? undefined : TIER_VALUES[claim];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}
