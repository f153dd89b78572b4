import { hash } from 'node:crypto';
import { decodeBase64url } from '../encoding/base64url.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parseHeader } from './header.ts';
import { parsePayload } from './payload.ts';
import type { TokenClaims, TokenHeader } from './token-claims.ts';

const MAX_TOKEN_CHARS = 288 * 1024;
const SIGNATURE_BYTES = 64;

/** A token that was parsed and not verified; only `parseToken` makes one. Nothing in it may be believed. */
export class UnverifiedToken {
  readonly compact: string;
  readonly header: TokenHeader;
  readonly claims: TokenClaims;
  /** The payload segment as text. */
  readonly payload: string;
  /** Header and payload segments with the dot between them. */
  readonly signingInput: string;
  readonly signature: Buffer;
  /** SHA-256 of the signing input, hex. The signature is left out: it can be changed without the key. */
  readonly evidenceId: string;

  private constructor(compact: string, segments: readonly [string, string, string]) {
    const [header, payload, signature] = segments;
    this.compact = compact;
    this.header = parseHeader(header);
    this.claims = parsePayload(payload);
    this.payload = payload;
    this.signingInput = `${header}.${payload}`;
    this.signature = decodeBase64url(signature);
    this.evidenceId = hash('sha256', this.signingInput, 'hex');
    if (this.signature.length !== SIGNATURE_BYTES) {
      throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'signature is not 64 bytes long');
    }
  }

  /** See `parseToken`. */
  static parse(compact: string): UnverifiedToken {
    if (compact.length > MAX_TOKEN_CHARS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'token is too long');
    const [header, payload, signature, ...rest] = compact.split('.', 4);
    if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
      throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'token has not three segments');
    }
    return new UnverifiedToken(compact, [header, payload, signature]);
  }
}

/**
 * Parses a compact evidence token: length, three segments, header (no `crit`, ES256 only), payload (profile first, then
 * each claim), signature of 64 bytes. Each segment must be the one canonical base64url text of its bytes. The result is
 * unverified: what it says is for look-up only.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_ENCODING, ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_PROFILE,
 * ERR_EVIDENCE_CLAIMS or ERR_EVIDENCE_SIGNATURE.
 */
export function parseToken(compact: string): UnverifiedToken {
  return UnverifiedToken.parse(compact);
}

/**
 * Joins header, payload and signature (r and s, 64 bytes) to the compact token.
 *
 * Throws `TypeError` for a signature of another length.
 */
export function assembleToken(parts: { header: string; payload: string; signature: Uint8Array }): string {
  if (parts.signature.length !== SIGNATURE_BYTES) throw new TypeError('an ES256 signature has 64 bytes');
  return `${parts.header}.${parts.payload}.${Buffer.from(parts.signature).toString('base64url')}`;
}
