import { decodeBase64url, EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { FieldReader } from '../trust/field-reader.ts';
import { selectKey } from '../trust/select-key.ts';
import { isSignedBy } from '../trust/signature.ts';
import type { Trust, TrustEnvironment, TrustKey } from '../trust/trust.ts';
import { decodeEar } from './decode-ear.ts';
import type { Ear, VerifiedEar } from './ear.ts';
import { EarRefused } from './ear-refused.ts';
import { EAR_TYPE } from './sign-ear.ts';

const MAX_LENGTH = 16 * 1024 * 1024;
const TYPES = [EAR_TYPE, `application/${EAR_TYPE}`];
/** Clocks of verifier and relying party differ by this much without anybody's fault. */
const MAX_SKEW_S = 60;

/** Under what circumstances an Attestation Result is judged. */
export interface EarContext {
  readonly environment: TrustEnvironment;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The relying party's own nonce, where it gave one: then the result must carry it. */
  readonly nonce?: string;
}

/**
 * Verifies an Attestation Result.
 *
 * Checks in this order: length; three segments of canonical base64url; a header of exactly `alg`, `typ` and `kid`, so
 * that no key, certificate or extension in it can count; the key of role `result` that the trust file has under `kid`,
 * with its environment, revocation and validity; the algorithm pinned to that key; the signature; only then strict
 * JSON, the profile (that of evidence is refused), the mandatory claims, `iat` and `exp`, the nonce, and that no status
 * is better than its worst claim.
 *
 * Throws `EarRefused`.
 */
export function verifyEar(jwt: string, trust: Trust, context: EarContext): VerifiedEar {
  const [header, payload, signature, signed] = splitCompact(jwt);
  const key = findKey(header, trust, context);
  if (!isSignedBy(signed, signature, key, 'ieee-p1363'))
    throw new EarRefused('BAD_SIGNATURE', 'its signature does not verify');
  const ear = decodeEar(parseJson(payload));
  checkTimes(ear, context.now);
  if (context.nonce !== undefined && ear.nonce !== context.nonce)
    throw new EarRefused('NONCE', 'it answers another nonce');
  // The one place where the brand is given.
  return { ...ear, keyId: key.id } as VerifiedEar;
}

function splitCompact(jwt: string): [Buffer, Buffer, Buffer, Buffer] {
  if (jwt.length > MAX_LENGTH) throw new EarRefused('MALFORMED', `it is longer than ${MAX_LENGTH} characters`);
  const segments = jwt.split('.', 4);
  const [header, payload, signature] = segments;
  if (segments.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw new EarRefused('MALFORMED', 'it is no compact JWT');
  }
  return [decode(header), decode(payload), decode(signature), Buffer.from(`${header}.${payload}`)];
}

function findKey(header: Buffer, trust: Trust, context: EarContext): TrustKey {
  const fields = new FieldReader(parseJson(header), 'header', (message) => new EarRefused('MALFORMED', message));
  fields.only(['alg', 'typ', 'kid']).oneOf('typ', TYPES);
  const kid = fields.string('kid', { maxLength: 256 });
  const key = selectKey(trust, kid, { role: 'result', environment: context.environment, now: context.now });
  if (typeof key === 'string') throw new EarRefused(key, 'its key does not count');
  if (fields.raw('alg') !== key.algorithm)
    throw new EarRefused('ALGORITHM', 'it names another algorithm than its key has');
  return key;
}

function checkTimes(ear: Ear, now: number): void {
  const seconds = now / 1000;
  if (ear.issuedAt > seconds + MAX_SKEW_S) throw new EarRefused('STALE', 'it was issued in the future');
  if (ear.expiresAt <= ear.issuedAt || ear.expiresAt <= seconds) throw new EarRefused('STALE', 'it has expired');
}

function decode(text: string): Buffer {
  return refuseMalformed(() => decodeBase64url(text));
}

function parseJson(bytes: Buffer): unknown {
  return refuseMalformed(() => parseStrictJson(bytes, { maxBytes: MAX_LENGTH, maxDepth: 24, maxKeys: 1_000_000 }));
}

function refuseMalformed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof EvidenceError) throw new EarRefused('MALFORMED', error.message, { cause: error });
    throw error;
  }
}
