import type { AppraisalStatus } from '../appraisal/finding-code.ts';
import { FieldReader } from '../trust/field-reader.ts';
import type { Ear, EarProfile, EarSubmodule, TrustVector } from './ear.ts';
import { EarRefused } from './ear-refused.ts';
import { DETAILS_CLAIM } from './encode-ear.ts';
import { EAR_PROFILES, type EarNames, findEarProfile } from './profile.ts';
import { capStatus, isBetter, isVectorClaim, VECTOR_CLAIMS, worstOf } from './trust-vector.ts';

const MAX_SUBMODULES = 4096;
const MAX_POLICIES = 64;
const STATUSES: readonly AppraisalStatus[] = ['none', 'affirming', 'warning', 'contraindicated'];

const malformed = (message: string) => new EarRefused('MALFORMED', message);

/**
 * Reads the claims of an EAR: profile first, then mandatory claims, then each submodule, whose status must not be
 * better than the worst claim of its vector, nor the overall status better than the worst submodule.
 *
 * To be called with claims whose signature was verified. Throws `EarRefused`.
 */
export function decodeEar(claims: unknown): Ear & { readonly profile: EarProfile } {
  const root = new FieldReader(claims, 'ear', malformed);
  const profile = findEarProfile(root.raw('eat_profile'));
  if (profile === undefined) throw new EarRefused('PROFILE', 'it has not the profile of an Attestation Result');
  const names = EAR_PROFILES[profile];
  const verifier = root.object(names.verifier);
  const nonce = root.optionalString('eat_nonce', { maxLength: 88 });
  const ear = {
    profile,
    issuedAt: root.integer('iat'),
    expiresAt: root.integer('exp'),
    id: root.string('jti', { maxLength: 256 }),
    verifier: { developer: verifier.string('developer'), build: verifier.string('build') },
    ...(nonce === undefined ? {} : { nonce }),
    submods: readSubmodules(root.object('submods'), names),
  };
  checkOverall(root, ear, names);
  return ear;
}

function readSubmodules(submods: FieldReader, names: EarNames): Record<string, EarSubmodule> {
  const labels = submods.names();
  if (labels.length === 0 || labels.length > MAX_SUBMODULES)
    throw malformed(`it has not 1 to ${MAX_SUBMODULES} submodules`);
  return Object.fromEntries(labels.map((label) => [label, readSubmodule(submods.object(label), names)]));
}

function readSubmodule(submodule: FieldReader, names: EarNames): EarSubmodule {
  const status = submodule.oneOf(names.status, STATUSES);
  const vector = readVector(submodule.object(names.vector));
  if (isBetter(status, capStatus(vector))) {
    throw new EarRefused('STATUS', `the status of ${submodule.path} is better than its worst claim`);
  }
  const nonce = submodule.optionalString('eat_nonce', { maxLength: 88 });
  const details = submodule.has(DETAILS_CLAIM) ? submodule.object(DETAILS_CLAIM) : undefined;
  return {
    status,
    vector,
    policyIds: readPolicies(submodule, names),
    ...(nonce === undefined ? {} : { nonce }),
    ...(details === undefined
      ? {}
      : { details: Object.fromEntries(details.names().map((name) => [name, details.raw(name)])) }),
  };
}

function readPolicies(submodule: FieldReader, names: EarNames): string[] {
  if (!submodule.has(names.policies)) return [];
  if (names.hasPolicyList) return submodule.strings(names.policies, MAX_POLICIES, { maxLength: 512 });
  return submodule.string(names.policies, { maxLength: 32_768 }).split(' ');
}

function readVector(claims: FieldReader): TrustVector {
  claims.only(VECTOR_CLAIMS.map(([, text]) => text));
  const entries = VECTOR_CLAIMS.filter(([, text]) => claims.has(text)).map(([name, text]) => {
    const value = claims.raw(text);
    if (!isVectorClaim(value)) throw malformed(`${claims.path}.${text} is no whole number from -128 to 127`);
    return [name, value];
  });
  return Object.fromEntries(entries);
}

function checkOverall(root: FieldReader, ear: Ear, names: EarNames): void {
  if (!root.has(names.status)) return;
  const overall = root.oneOf(names.status, STATUSES);
  const worst = worstOf(Object.values(ear.submods).map((submodule) => submodule.status));
  if (isBetter(overall, worst)) throw new EarRefused('STATUS', 'its status is better than that of its worst submodule');
}
