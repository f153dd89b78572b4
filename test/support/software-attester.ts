import { createHash, randomBytes, sign } from 'node:crypto';
import {
  assembleToken,
  computeQualifyingData,
  EVIDENCE_PROFILE,
  encodeBundle,
  encodeHeader,
  encodePayload,
  encodeSubmoduleDigest,
  exportSigningJwk,
  type HoldfastClaims,
  type TokenClaims,
  type TokenQuote,
} from '@holdfast/evidence';
import type { Evidence } from '@holdfast/proto';
import type { ClaimsContent } from './claims-fixture.ts';
import type { SoftwareKey, SoftwareTpm } from './software-tpm.ts';

/** What a test wants to be other than right. */
export interface RoundChanges {
  readonly holdfast?: Partial<HoldfastClaims>;
  readonly claims?: Partial<TokenClaims>;
  /** Payload that is quoted, where it is not the one that is sent. */
  readonly quotedPayload?: string;
  readonly quotedBy?: SoftwareKey;
  readonly quotes?: (quotes: [TokenQuote, TokenQuote]) => [TokenQuote, TokenQuote];
  /** Leaves the quotes out. */
  readonly withoutTpm?: boolean;
  readonly signedBy?: SoftwareKey;
}

export interface MadeRound {
  readonly token: string;
  readonly payload: string;
  /** SHA-256 of the signing input, hex. */
  readonly evidenceId: string;
  readonly content: ClaimsContent;
}

type EvidenceInit = Pick<Evidence, 'token'> & { blobs: { content: Buffer }[] };

/** The Attester's side in software: makes rounds in a chain, right ones and wrong ones. */
export class SoftwareAttester {
  readonly tpm: SoftwareTpm;
  readonly kubeNode: string;
  readonly tlsSpkiSha256: string;
  chain = randomBytes(16).toString('base64url');
  seq = 0;
  prev: string | null = null;

  constructor(tpm: SoftwareTpm, kubeNode: string, tlsSpkiSha256: string) {
    this.tpm = tpm;
    this.kubeNode = kubeNode;
    this.tlsSpkiSha256 = tlsSpkiSha256;
  }

  /** Makes the next round; the chain moves on only with `advance`. */
  makeRound(nonce: string | string[] | undefined, content: ClaimsContent, changes: RoundChanges = {}): MadeRound {
    const payload = encodePayload({ ...this.#claims(nonce, content, changes), ...changes.claims });
    const header = encodeHeader({ kid: this.tpm.kid, ...this.#quotes(changes.quotedPayload ?? payload, changes) });
    const signingInput = `${header}.${payload}`;
    const key = { key: (changes.signedBy ?? this.tpm.signing).privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const token = assembleToken({ header, payload, signature: sign('sha256', Buffer.from(signingInput), key) });
    return { token, payload, content, evidenceId: createHash('sha256').update(signingInput).digest('hex') };
  }

  /** The next round follows this one. */
  advance({ evidenceId }: MadeRound): void {
    this.seq += 1;
    this.prev = evidenceId;
  }

  #claims(nonce: string | string[] | undefined, { sets }: ClaimsContent, { holdfast }: RoundChanges): TokenClaims {
    return {
      eat_profile: EVIDENCE_PROFILE,
      ...(nonce === undefined ? {} : { eat_nonce: nonce }),
      iat: Math.floor(Date.now() / 1000),
      jti: randomBytes(16).toString('base64url'),
      ueid: this.tpm.ueid,
      bootcount: this.tpm.clock.resetCount,
      bootseed: Buffer.alloc(32, 3).toString('base64url'),
      uptime: 100,
      swname: 'holdfast-agent',
      swversion: ['0.1.0'],
      cnf: { jwk: exportSigningJwk(this.tpm.signing.publicKey) },
      holdfast: {
        chain: this.chain,
        seq: this.seq,
        prev: this.prev,
        kubeNode: this.kubeNode,
        agent: { version: '0.1.0', image: null },
        tls: this.tlsSpkiSha256,
        pending: [],
        oldestScanMs: 0,
        lost: [],
        ...holdfast,
      },
      submods: {
        host: encodeSubmoduleDigest(sets.host),
        boot: encodeSubmoduleDigest(sets.boot),
        ima: encodeSubmoduleDigest(sets.ima),
        kernel: encodeSubmoduleDigest(sets.kernel),
        containers: encodeSubmoduleDigest(sets.containers),
      },
    };
  }

  #quotes(payload: string, changes: RoundChanges): { tpm?: [TokenQuote, TokenQuote] } {
    if (changes.withoutTpm === true) return {};
    const ak = changes.quotedBy ?? this.tpm.ak;
    const [first, second] = this.tpm.quoteBoth(computeQualifyingData(payload), ak).map(
      ({ attest, signature }): TokenQuote => ({
        ak: this.tpm.ak.name.toString('base64url'),
        attest: attest.toString('base64url'),
        sig: signature.toString('base64url'),
        pcrs: {},
      }),
    );
    if (first === undefined || second === undefined) throw new Error('two quotes were made');
    return { tpm: changes.quotes?.([first, second]) ?? [first, second] };
  }
}

/** The message of a round with everything that it names. */
export function createFullEvidence({ token, content }: MadeRound): EvidenceInit {
  const value = encodeBundle(token, content.sets);
  return { token: { case: 'bundle', value }, blobs: content.blobs.map((blob) => ({ content: blob })) };
}

/** The message of a round in which nothing but the token travels. */
export function createBareEvidence(token: string): EvidenceInit {
  return { token: { case: 'jwt', value: token }, blobs: [] };
}
