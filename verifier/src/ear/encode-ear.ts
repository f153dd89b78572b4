import type { Ear, EarProfile, EarSubmodule } from './ear.ts';
import { EAR_PROFILES, type EarNames } from './profile.ts';
import { capStatus, isBetter, isVectorClaim, VECTOR_CLAIMS, worstOf } from './trust-vector.ts';

/** Holdfast's own part of a submodule. */
export const DETAILS_CLAIM = 'holdfast';
/** Printable ASCII without space, so that a list of ids can be one string in the deployed profile. */
const POLICY_ID = /^[\x21-\x7e]{1,512}$/;
const NONCE = /^[\x21-\x7e]{8,88}$/;

/**
 * Makes the claims of an EAR in one profile (draft-ietf-rats-ear-03, or the names that Veraison has deployed).
 *
 * Throws `TypeError` when a mandatory part is missing, a time or claim is out of range, or a status is better than the
 * worst claim of its vector.
 */
export function encodeEar(ear: Ear, profile: EarProfile = 'ietf-ear-03'): Record<string, unknown> {
  const names = EAR_PROFILES[profile];
  checkEar(ear);
  const submods = Object.entries(ear.submods).map(([label, submodule]) => [label, encodeSubmodule(submodule, names)]);
  const overall = worstOf(Object.values(ear.submods).map((submodule) => submodule.status));
  return {
    eat_profile: names.tag,
    iat: ear.issuedAt,
    exp: ear.expiresAt,
    jti: ear.id,
    [names.verifier]: { developer: ear.verifier.developer, build: ear.verifier.build },
    ...(names.hasOverallStatus ? { [names.status]: overall } : {}),
    ...(ear.nonce === undefined ? {} : { eat_nonce: ear.nonce }),
    submods: Object.fromEntries(submods),
  };
}

function encodeSubmodule(submodule: EarSubmodule, names: EarNames): Record<string, unknown> {
  const vector = VECTOR_CLAIMS.flatMap(([name, text]) =>
    submodule.vector[name] === undefined ? [] : [[text, submodule.vector[name]]],
  );
  const { policyIds } = submodule;
  return {
    [names.status]: submodule.status,
    [names.vector]: Object.fromEntries(vector),
    ...(policyIds.length === 0 ? {} : { [names.policies]: names.hasPolicyList ? policyIds : policyIds.join(' ') }),
    ...(submodule.nonce === undefined ? {} : { eat_nonce: submodule.nonce }),
    ...(submodule.details === undefined ? {} : { [DETAILS_CLAIM]: submodule.details }),
  };
}

function checkEar(ear: Ear): void {
  if (!Number.isSafeInteger(ear.issuedAt) || !Number.isSafeInteger(ear.expiresAt) || ear.expiresAt <= ear.issuedAt) {
    throw new TypeError('an EAR needs whole seconds as times and must end after it begins');
  }
  if (ear.id === '' || ear.verifier.developer === '' || ear.verifier.build === '') {
    throw new TypeError('an EAR needs an id and the verifier’s developer and build');
  }
  if (ear.nonce !== undefined && !NONCE.test(ear.nonce))
    throw new TypeError('a nonce has 8 to 88 printable characters');
  const submodules = Object.values(ear.submods);
  if (submodules.length === 0) throw new TypeError('an EAR needs a submodule');
  submodules.forEach(checkSubmodule);
}

function checkSubmodule(submodule: EarSubmodule): void {
  const { status, vector, policyIds, nonce } = submodule;
  if (VECTOR_CLAIMS.some(([name]) => vector[name] !== undefined && !isVectorClaim(vector[name]))) {
    throw new TypeError('a claim of a trust vector is a whole number from -128 to 127');
  }
  if (isBetter(status, capStatus(vector))) throw new TypeError('a status is never better than the worst claim');
  if (!policyIds.every((id) => POLICY_ID.test(id))) throw new TypeError('a policy id has printable characters only');
  if (nonce !== undefined && !NONCE.test(nonce)) throw new TypeError('a nonce has 8 to 88 printable characters');
}
