import { createHash } from 'node:crypto';
import { decodeBase64url, encodeBase64url } from '../encoding/base64url.ts';
import { object, oneOf, optional, pair, readShape, string } from '../encoding/shape.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { SubmoduleDigest, SubmoduleName, TokenClaims } from '../token/token-claims.ts';
import { parseToken, type UnverifiedToken } from '../token/unverified-token.ts';

/** A parsed bundle. The sets belong to the token, by digest; the token is unverified, and so are they. */
export interface Bundle {
  readonly token: UnverifiedToken;
  /** The bytes of each claims-set that travelled. */
  readonly sets: ReadonlyMap<SubmoduleName, Buffer>;
}

const NAMES = ['host', 'boot', 'ima', 'kernel', 'containers'] as const;
const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;

const encodedSet = optional(string({ min: 1, max: MAX_BUNDLE_BYTES }));
const bundle = pair(
  pair(oneOf('JWT'), string({ min: 1, max: 512 * 1024 })),
  object<{ [K in SubmoduleName]?: string }>({
    host: encodedSet,
    boot: encodedSet,
    ima: encodedSet,
    kernel: encodedSet,
    containers: encodedSet,
  }),
);

/** The digest of a claims-set as it stands in `submods`. */
export function encodeSubmoduleDigest(set: Uint8Array): SubmoduleDigest {
  return nameSubmodule(createHash('sha256').update(set).digest());
}

/** The same from the SHA-256 of the claims-set. */
export function nameSubmodule(sha256: Buffer): SubmoduleDigest {
  return ['DIGEST', [-16, sha256.toString('base64url')]];
}

/** SHA-256 that a payload names for a submodule. */
export function decodeSubmoduleDigest(submods: TokenClaims['submods'], name: SubmoduleName): Buffer {
  return decodeBase64url(submods[name][1][1]);
}

/**
 * Joins a token and the claims-sets that travel with it to a Detached EAT Bundle in JSON (RFC 9711, 5).
 *
 * Throws `TypeError` when there is no set, since a bundle has at least one.
 */
export function encodeBundle(token: string, sets: { readonly [K in SubmoduleName]?: Uint8Array | undefined }): Buffer {
  const present = NAMES.flatMap((name) => {
    const set = sets[name];
    return set === undefined ? [] : [[name, encodeBase64url(set)] as const];
  });
  if (present.length === 0) throw new TypeError('a bundle holds at least one claims-set');
  return Buffer.from(JSON.stringify([['JWT', token], Object.fromEntries(present)]), 'utf8');
}

/**
 * Parses a Detached EAT Bundle: strict JSON, a JWT and at least one detached claims-set, the token (see `parseToken`),
 * then that each set has the digest that the token's payload names for it.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_ENCODING, ERR_EVIDENCE_CLAIMS,
 * ERR_EVIDENCE_DIGEST, and whatever `parseToken` throws.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const value = parseStrictJson(bytes, { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 4, maxKeys: 16 });
  const [[, compact], encoded] = readShape(bundle, value, 'bundle');
  const token = parseToken(compact);
  const sets = new Map<SubmoduleName, Buffer>();
  for (const name of NAMES) {
    const set = encoded[name];
    if (set !== undefined) sets.set(name, decodeSet(token, name, set));
  }
  if (sets.size === 0) throw new EvidenceError('ERR_EVIDENCE_CLAIMS', 'bundle has no claims-set');
  return { token, sets };
}

function decodeSet({ claims }: UnverifiedToken, name: SubmoduleName, text: string): Buffer {
  const set = decodeBase64url(text);
  if (!createHash('sha256').update(set).digest().equals(decodeSubmoduleDigest(claims.submods, name))) {
    throw new EvidenceError('ERR_EVIDENCE_DIGEST', `claims-set ${name} is not the one that the token names`);
  }
  return set;
}
