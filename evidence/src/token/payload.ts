import { decodeBase64url } from '../encoding/base64url.ts';
import {
  array,
  base64url,
  boolean,
  hex,
  integer,
  nullable,
  object,
  ociDigest,
  oneOf,
  optional,
  pair,
  readShape,
  refine,
  type Shape,
  single,
  string,
  stringOr,
} from '../encoding/shape.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { EvidenceError } from '../evidence-error.ts';
import {
  type DeclaredLoss,
  EVIDENCE_PROFILE,
  type HoldfastClaims,
  type SigningJwk,
  type SubmoduleDigest,
  type TokenClaims,
} from './token-claims.ts';

/** Longest payload text, base64url: what 1,024 containers with unscanned events need, and room. */
const MAX_PAYLOAD_CHARS = 256 * 1024;
const LABEL = /^[\x21-\x7e]+$/;

const label = (max: number) => string({ min: 1, max, pattern: LABEL });
const sha256 = base64url(32);
const nonce = base64url(32, 66);
const nonceList = refine(array(nonce, { min: 2, max: 16 }), (list) =>
  new Set(list).size === list.length ? undefined : 'repeated nonce',
);
const nonces = stringOr(nonce, nonceList);

const loss = refine(
  object<DeclaredLoss>({ from: integer(), to: integer(), kind: oneOf('heartbeat', 'change') }),
  ({ from, to }) => (from <= to ? undefined : 'ends before it begins'),
);

const holdfast = refine(
  object<HoldfastClaims>({
    chain: base64url(16),
    seq: nullable(integer()),
    prev: nullable(hex(32)),
    kubeNode: label(253),
    agent: object<HoldfastClaims['agent']>({ version: label(64), image: nullable(ociDigest) }),
    tls: hex(32),
    pending: refine(array(pair(label(128), integer()), { max: 1024 }), (list) => findDisorder(list.map(([id]) => id))),
    oldestScanMs: nullable(integer()),
    lost: array(loss, { max: 64 }),
  }),
  findChainFault,
);

const digest: Shape<SubmoduleDigest> = pair(oneOf('DIGEST'), pair(oneOf(-16), sha256));

const payload: Shape<TokenClaims> = object<TokenClaims>({
  eat_profile: oneOf(EVIDENCE_PROFILE),
  eat_nonce: optional(nonces),
  iat: integer(),
  jti: base64url(16),
  ueid: refine(base64url(33), (text) => (decodeBase64url(text)[0] === 1 ? undefined : 'not of type RAND')),
  hwmodel: optional(base64url(1, 32)),
  oemboot: optional(boolean),
  dbgstat: optional(
    oneOf('enabled', 'disabled', 'disabled-since-boot', 'disabled-permanently', 'disabled-fully-and-permanently'),
  ),
  bootcount: optional(integer({ max: 0xffffffff })),
  bootseed: sha256,
  uptime: integer(),
  swname: string({ min: 1, max: 256 }),
  swversion: single(string({ min: 1, max: 256 })),
  cnf: object<TokenClaims['cnf']>({
    jwk: object<SigningJwk>({ kty: oneOf('EC'), crv: oneOf('P-256'), x: sha256, y: sha256 }),
  }),
  holdfast,
  submods: object<TokenClaims['submods']>({
    host: digest,
    boot: digest,
    ima: digest,
    kernel: digest,
    containers: digest,
  }),
});

/**
 * The payload as it will stand in the compact token: base64url of its JSON. This text, not the claims, is what is quoted
 * and signed.
 *
 * Throws `TypeError` when a Verifier would refuse the claims.
 */
export function encodePayload(claims: TokenClaims): string {
  try {
    // What has this shape is strict JSON once it is written: it holds nothing that JSON leaves out, changes or repeats.
    payload.check(claims, 'payload');
  } catch (cause) {
    throw new TypeError('claims are not those of an evidence token', { cause });
  }
  const text = Buffer.from(JSON.stringify(claims), 'utf8').toString('base64url');
  if (text.length > MAX_PAYLOAD_CHARS) throw new TypeError('claims are too long for an evidence token');
  return text;
}

/**
 * Parses the second segment of a token: canonical base64url, strict JSON, the evidence profile before anything else,
 * then each claim. The claims are unverified.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_ENCODING, ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_PROFILE or
 * ERR_EVIDENCE_CLAIMS.
 */
export function parsePayload(text: string): TokenClaims {
  if (text.length > MAX_PAYLOAD_CHARS) throw new EvidenceError('ERR_EVIDENCE_LIMIT', 'payload is too long');
  const value = parseStrictJson(decodeBase64url(text), { maxBytes: MAX_PAYLOAD_CHARS, maxDepth: 8, maxKeys: 8192 });
  const profile = typeof value === 'object' && value !== null && 'eat_profile' in value ? value.eat_profile : undefined;
  if (profile !== EVIDENCE_PROFILE) {
    throw new EvidenceError('ERR_EVIDENCE_PROFILE', 'token is not evidence of this profile');
  }
  return readShape(payload, value, 'payload');
}

function findDisorder(ids: readonly string[]): string | undefined {
  const isSorted = ids.every((id, index) => index === 0 || (ids[index - 1] ?? '') < id);
  return isSorted ? undefined : 'not sorted by distinct id';
}

/** Only the first token of a chain, and a snapshot taken before it, follow nothing. */
function findChainFault({ seq, prev }: HoldfastClaims): string | undefined {
  if (seq === 0 && prev !== null) return 'the first of a chain names a token before it';
  if (seq !== null && seq > 0 && prev === null) return 'a token in a chain names none before it';
  return undefined;
}
