import { isInScope } from './scope.ts';
import type { KeyRefusal, KeyUse, Trust, TrustKey } from './trust.ts';

/**
 * Why a key of a trust file does not count for a use, or undefined where it does.
 *
 * Checks in this order: expiry of the file, role, environment (of file and key), revocation, validity, scope. A key
 * counts from `validFrom` until before `validUntil`; one that is not valid yet is KEY_EXPIRED too. Revoked keys never
 * count, whatever the time: without trusted time nothing proves that a signature is older than the revocation.
 */
export function refuseKey(trust: Trust, key: TrustKey, use: KeyUse): KeyRefusal | undefined {
  if (use.now >= trust.expiresMs) return 'TRUST_EXPIRED';
  if (key.role !== use.role) return 'KEY_ROLE';
  if (key.environment !== use.environment || trust.environment !== use.environment) return 'KEY_ENVIRONMENT';
  if (key.revokedAtMs !== undefined) return 'KEY_REVOKED';
  if (!(use.now >= key.validFromMs && use.now < key.validUntilMs)) return 'KEY_EXPIRED';
  if (use.subjectName !== undefined && !isInScope(use.subjectName, key.scope)) return 'KEY_SCOPE';
  return undefined;
}

/** Looks a key up by its id and checks it as `refuseKey` does; gives the key, or the reason as a string. */
export function selectKey(trust: Trust, id: string, use: KeyUse): TrustKey | KeyRefusal {
  if (use.now >= trust.expiresMs) return 'TRUST_EXPIRED';
  const key = trust.keys.find((candidate) => candidate.id === id);
  if (key === undefined) return 'KEY_UNKNOWN';
  return refuseKey(trust, key, use) ?? key;
}

/** All keys that count for a use, in the order of the file. */
export function usableKeys(trust: Trust, use: KeyUse): TrustKey[] {
  return trust.keys.filter((key) => refuseKey(trust, key, use) === undefined);
}
