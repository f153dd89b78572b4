import { hash } from 'node:crypto';
import { type DeclaredLoss, EVIDENCE_PROFILE, nameSubmodule, type TokenClaims } from '@holdfast/evidence';
import type { SealingFacts } from '../tpm/token-sealer.ts';
import { AGENT_VERSION } from '../version.ts';
import type { CollectedClaims } from './claims-collector.ts';

/** Everything that a payload is made of. */
export interface ClaimsInput {
  readonly facts: SealingFacts;
  readonly claims: CollectedClaims;
  /** Distinct, 16 at most. */
  readonly nonces: readonly string[];
  readonly nowMs: number;
  /** 16 random bytes. */
  readonly tokenId: Buffer;
  readonly kubeNode: string;
  readonly image: string | null;
  readonly tlsSpkiSha256: string;
  /** Place in the chain; `seq` is null for a snapshot, which stands beside it. */
  readonly place: { chain: string; seq: number | null; prev: string | null };
  readonly lost: readonly DeclaredLoss[];
}

const MAX_PENDING = 1_024;

/** Makes the payload of a token (design §4.1) out of what was collected. */
export function createTokenClaims(input: ClaimsInput): TokenClaims {
  const { facts, claims, nonces } = input;
  const { digests } = claims.content;
  const [first, ...others] = nonces;
  return {
    eat_profile: EVIDENCE_PROFILE,
    ...(first === undefined ? {} : { eat_nonce: others.length === 0 ? first : [...nonces] }),
    iat: Math.floor(input.nowMs / 1000),
    jti: input.tokenId.toString('base64url'),
    ueid: facts.ueid,
    ...(claims.hardwareModel === undefined ? {} : { hwmodel: hash('sha256', claims.hardwareModel, 'base64url') }),
    ...(claims.secureBoot === null ? {} : { oemboot: claims.secureBoot }),
    ...(facts.bootCount === undefined ? {} : { bootcount: facts.bootCount }),
    bootseed: hash('sha256', claims.bootId, 'base64url'),
    uptime: claims.uptimeSeconds,
    swname: 'holdfast-agent',
    swversion: [AGENT_VERSION],
    cnf: { jwk: facts.jwk },
    holdfast: {
      ...input.place,
      kubeNode: input.kubeNode,
      agent: { version: AGENT_VERSION, image: input.image },
      tls: input.tlsSpkiSha256,
      pending: choosePending(claims.pending),
      oldestScanMs: claims.oldestScanMs === null ? null : Math.round(claims.oldestScanMs),
      lost: input.lost.map(({ from, to, kind }) => ({ from, to, kind })),
    },
    submods: {
      host: nameSubmodule(Buffer.from(digests.host, 'hex')),
      boot: nameSubmodule(Buffer.from(digests.boot, 'hex')),
      ima: nameSubmodule(Buffer.from(digests.ima, 'hex')),
      kernel: nameSubmodule(Buffer.from(digests.kernel, 'hex')),
      containers: nameSubmodule(Buffer.from(digests.containers, 'hex')),
    },
  };
}

/** Sorted by id. Where there are too many, those that have waited longest are told: they decide. */
function choosePending(pending: readonly [string, number][]): [string, number][] {
  const longest = pending.toSorted(([, a], [, b]) => b - a).slice(0, MAX_PENDING);
  return longest.map(([id, ms]): [string, number] => [id, Math.round(ms)]).sort(([a], [b]) => (a < b ? -1 : 1));
}
