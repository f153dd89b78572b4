import { createHash, type KeyObject, sign } from 'node:crypto';
import type { PreparedKeys } from '../token/enrolled-keys.ts';
import { prepareEnrolledKeys } from '../token/enrolled-keys.ts';
import { computeKid, computeUeid, computeUeidWithoutTpm, exportSigningJwk } from '../token/identity.ts';
import { computeQualifyingData, PROFILE_SELECTIONS } from '../token/quote-binding.ts';
import { EVIDENCE_PROFILE, type TokenClaims, type TokenQuote } from '../token/token-claims.ts';
import type { SimulatedTpm } from './simulated-tpm.test.ts';

const digestOf = (text: string): ['DIGEST', [-16, string]] => [
  'DIGEST',
  [-16, createHash('sha256').update(text).digest('base64url')],
];

export const NONCE = Buffer.alloc(32, 0xa5).toString('base64url');

/** Claims of a first token; `tpm` null for an Attester without one. */
export function createClaims(tpm: SimulatedTpm, changes: Partial<TokenClaims> = {}): TokenClaims {
  const jwk = exportSigningJwk(tpm.signing.publicKey);
  return {
    eat_profile: EVIDENCE_PROFILE,
    eat_nonce: NONCE,
    iat: 1_790_000_000,
    jti: Buffer.alloc(16, 1).toString('base64url'),
    ueid: computeUeid(tpm.ekName),
    oemboot: true,
    dbgstat: 'disabled',
    bootcount: 7,
    bootseed: Buffer.alloc(32, 2).toString('base64url'),
    uptime: 3600,
    swname: 'Debian GNU/Linux',
    swversion: ['6.1.0-28-amd64'],
    cnf: { jwk },
    holdfast: {
      chain: Buffer.alloc(16, 3).toString('base64url'),
      seq: 0,
      prev: null,
      kubeNode: 'worker-1',
      agent: { version: '0.1.0', image: `sha256:${'ab'.repeat(32)}` },
      tls: 'cd'.repeat(32),
      pending: [
        ['c1', 120],
        ['c2', 7],
      ],
      oldestScanMs: 5000,
      lost: [],
    },
    submods: {
      host: digestOf('host'),
      boot: digestOf('boot'),
      ima: digestOf('ima'),
      kernel: digestOf('kernel'),
      containers: digestOf('containers'),
    },
    ...changes,
  };
}

/** Claims of an Attester that runs without a TPM. */
export function createClaimsWithoutTpm(tpm: SimulatedTpm, changes: Partial<TokenClaims> = {}): TokenClaims {
  const kid = computeKid(exportSigningJwk(tpm.signing.publicKey));
  const { bootcount: _bootcount, ...claims } = createClaims(tpm, { ueid: computeUeidWithoutTpm(kid), ...changes });
  return claims;
}

/** JSON of any value as a token segment. */
export function encodeSegment(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

export interface RoundChanges {
  readonly header?: Record<string, unknown>;
  /** Changes to one quote by its place. */
  readonly quotes?: readonly [Parameters<SimulatedTpm['quote']>[2], Parameters<SimulatedTpm['quote']>[2]];
  readonly selections?: typeof PROFILE_SELECTIONS;
  readonly tokenQuotes?: (quotes: TokenQuote[]) => unknown;
  readonly qualifyingData?: Uint8Array;
  readonly signer?: KeyObject;
}

/** A whole round: payload, quotes over it, signature. Nothing is validated, so that tests can make bad ones. */
export function signRound(tpm: SimulatedTpm, claims: unknown, changes: RoundChanges = {}): string {
  const payload = encodeSegment(claims);
  const qualifyingData = changes.qualifyingData ?? computeQualifyingData(payload);
  const quotes = (changes.selections ?? PROFILE_SELECTIONS).map((selection, index): TokenQuote => {
    const { attest, signature } = tpm.quote(qualifyingData, selection, {
      clock: 1000n + BigInt(index),
      ...changes.quotes?.[index],
    });
    return {
      ak: tpm.akName.toString('base64url'),
      attest: attest.toString('base64url'),
      sig: signature.toString('base64url'),
      pcrs: index === 1 ? { sha256: { 10: tpm.pcrs.get(10)?.toString('hex') ?? '' } } : {},
    };
  });
  const kid = computeKid(exportSigningJwk(tpm.signing.publicKey));
  const header = {
    alg: 'ES256',
    typ: 'eat+jwt',
    kid,
    tpm: changes.tokenQuotes === undefined ? quotes : changes.tokenQuotes(quotes),
    ...changes.header,
  };
  return signSegments(encodeSegment(header), payload, changes.signer ?? tpm.signing.privateKey);
}

/** ES256 over two segments. */
export function signSegments(header: string, payload: string, key: KeyObject): string {
  const signature = sign('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' });
  return `${header}.${payload}.${signature.toString('base64url')}`;
}

export function createEnrolledKeys(tpm: SimulatedTpm): PreparedKeys {
  return prepareEnrolledKeys({ signingKey: tpm.signing.publicKey, akPublic: tpm.ak.public, ekName: tpm.ekName });
}
