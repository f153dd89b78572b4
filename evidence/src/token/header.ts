import { decodeBase64url } from '../encoding/base64url.ts';
import { base64url, hex, object, oneOf, optional, pair, readShape, record, type Shape } from '../encoding/shape.ts';
import { type JsonValue, parseStrictJson } from '../encoding/strict-json.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { TokenHeader, TokenQuote } from './token-claims.ts';

const MAX_HEADER_CHARS = 16 * 1024;

const quote: Shape<TokenQuote> = object<TokenQuote>({
  ak: base64url(34, 66),
  attest: base64url(1, 512),
  sig: base64url(1, 600),
  pcrs: object<TokenQuote['pcrs']>({ sha256: optional(record(/^(?:[0-9]|1[0-9]|2[0-3])$/, hex(32), { max: 24 })) }),
});

const header: Shape<TokenHeader> = object<TokenHeader>({
  alg: oneOf('ES256'),
  typ: oneOf('eat+jwt'),
  kid: base64url(32),
  tpm: optional(pair(quote, quote)),
});

/**
 * The protected header as it will stand in the compact token, base64url. `tpm` holds the quote of PCRs 0-9 and 11-15,
 * then that of PCR 10; without a TPM it is left out.
 *
 * Throws `TypeError` when a Verifier would refuse the header.
 */
export function encodeHeader({ kid, tpm }: Pick<TokenHeader, 'kid' | 'tpm'>): string {
  const full: TokenHeader = { alg: 'ES256', typ: 'eat+jwt', kid, ...(tpm === undefined ? {} : { tpm }) };
  try {
    // What has this shape is strict JSON once it is written: it holds nothing that JSON leaves out, changes or repeats.
    header.check(full, 'header');
  } catch (cause) {
    throw new TypeError('not a header of an evidence token', { cause });
  }
  return Buffer.from(JSON.stringify(full), 'utf8').toString('base64url');
}

/**
 * Parses the first segment of a token: canonical base64url, strict JSON, no `crit`, no algorithm but ES256, then exactly
 * the known members. The header is unverified.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_ENCODING, ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_CLAIMS.
 */
export function parseHeader(text: string): TokenHeader {
  if (text.length > MAX_HEADER_CHARS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'header is too long');
  const value = parseStrictJson(decodeBase64url(text), { maxBytes: MAX_HEADER_CHARS, maxDepth: 6, maxKeys: 128 });
  checkAlgorithm(value);
  return readShape(header, value, 'header');
}

function checkAlgorithm(value: JsonValue): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'header is not an object');
  }
  if ('crit' in value) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'header has critical extensions');
  if (value['alg'] !== 'ES256') throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'algorithm is not ES256');
}
