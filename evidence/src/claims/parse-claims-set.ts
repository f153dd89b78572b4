import { readShape, type Shape } from '../encoding/shape.ts';
import { encodeSortedJson } from '../encoding/sorted-json.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { ClaimsSet, ClaimsSetType } from './claims-set.ts';
import { containerClaims } from './container-shape.ts';
import { bootClaims, containersClaims, hostClaims, imaClaims, kernelClaims } from './node-shapes.ts';

type ClaimsSetOf<T extends ClaimsSetType> = Extract<ClaimsSet, { type: T }>;

/** Longest claims-set, bytes of JSON. */
const MAX_CLAIMS_SET_BYTES = 4 * 1024 * 1024;
const JSON_LIMITS = { maxBytes: MAX_CLAIMS_SET_BYTES, maxDepth: 8, maxKeys: 100_000 };

const SHAPES: { readonly [T in ClaimsSetType]: Shape<ClaimsSetOf<T>> } = {
  host: hostClaims,
  boot: bootClaims,
  ima: imaClaims,
  kernel: kernelClaims,
  containers: containersClaims,
  container: containerClaims,
};

/**
 * Parses the bytes of a claims-set: size, strict JSON, its type, its id (containers only), then every field and its
 * bounds. The result is the Attester's word; whoever calls has compared the digest of the bytes with what names them.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_CLAIMS.
 */
export function parseClaimsSet<T extends ClaimsSetType>(bytes: Uint8Array, type: T, id?: string): ClaimsSetOf<T> {
  const value = parseStrictJson(bytes, JSON_LIMITS);
  const named = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  // A digest says nothing of what it names: without this one set could stand in for another.
  if (named['type'] !== type) throw new EvidenceError('ERR_EVIDENCE_CLAIMS', `claims-set is not of type ${type}`);
  if (id !== undefined && named['id'] !== id) {
    throw new EvidenceError('ERR_EVIDENCE_CLAIMS', 'claims-set belongs to another container');
  }
  return readShape(SHAPES[type], value, type);
}

/**
 * The bytes of a claims-set: JSON with sorted members and no whitespace, so that equal claims have one digest.
 *
 * What a container chose (arguments, names, mounts) can exceed the bounds that `parseClaimsSet` sets. Then this throws
 * `EvidenceError` as that does, and the caller leaves the claim out and names the limit.
 */
export function encodeClaimsSet(set: ClaimsSet): Buffer {
  const bytes = encodeSortedJson(set);
  parseClaimsSet(bytes, set.type);
  return bytes;
}
