import { createHash } from 'node:crypto';
import { listNonces, type UnverifiedToken, type VerifiedToken, verifyToken } from '@holdfast/evidence';
import type { QuoteFacts } from '../appraisal/appraisal-input.ts';
import type { JudgeEndorsement } from '../enrolment/endorsement.ts';
import type { NonceIssuer } from '../nonce/nonce-issuer.ts';
import type { EnrolledNode } from '../store/enrolment-store.ts';
import { VerifierError } from '../verifier-error.ts';
import type { QuotedClock } from './judge-chain.ts';
import { isFresh } from './judge-nonces.ts';
import { chooseKeys, type NodeState } from './node-registry.ts';

export interface VerifyRoundDeps {
  readonly nonces: NonceIssuer;
  readonly verifierId: string;
  readonly endorse: JudgeEndorsement;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How a round came: the TLS key of its connection, and when its message was here. */
export interface Arrival {
  readonly peerSpki: string;
  /** Milliseconds since 1970. What is asked for afterwards may take its time, and makes the evidence no younger. */
  readonly receivedAtMs: number;
}

/** A token that holds for its kube node and this connection, and whether it was made just now. */
export interface VerifiedRound {
  readonly token: VerifiedToken;
  readonly quotes: QuoteFacts;
  readonly clock: QuotedClock;
  readonly fresh: boolean;
  readonly receivedAtMs: number;
}

const MAX_CLOCK = BigInt(Number.MAX_SAFE_INTEGER);
/** PCR 10 as it is when nothing was ever measured into it. */
const ZERO_PCR_DIGEST = createHash('sha256').update(Buffer.alloc(32)).digest();

/**
 * Verifies a round of an enrolled kube node in this order: that its EK still counts and its certificates have not run
 * out; token, signature and both quotes (see `verifyToken`); that the label is the enrolled one; that the TLS key which
 * the token names is that of the connection; nonces.
 *
 * Throws `EvidenceError` as `verifyToken` does, and `VerifierError` ERR_VERIFIER_EK_REVOKED, _CERTIFICATE_EXPIRED,
 * _IDENTITY, _TLS_BINDING, _NO_QUOTE or _NONCE.
 */
export function verifyRound(
  unverified: UnverifiedToken,
  state: NodeState,
  { peerSpki, receivedAtMs }: Arrival,
  deps: VerifyRoundDeps,
): VerifiedRound {
  const { node } = state;
  checkEnrolment(node, deps);
  const token = verifyToken(unverified, chooseKeys(state, unverified.header.kid, deps.now()));
  const { kubeNode, tls } = token.claims.holdfast;
  if (kubeNode !== node.label) {
    throw new VerifierError('ERR_VERIFIER_IDENTITY', `the evidence names another kube node than ${node.label}`);
  }
  if (tls !== peerSpki) {
    throw new VerifierError(
      'ERR_VERIFIER_TLS_BINDING',
      'the evidence names another TLS key than that of the connection',
    );
  }
  const scope = { verifierId: deps.verifierId, ueid: node.ueid, purpose: 'evidence' } as const;
  const fresh = isFresh(listNonces(token.claims), deps.nonces, scope);
  return { token, quotes: readQuotes(token), clock: readClock(token), fresh, receivedAtMs };
}

/** Whether the kube node may still send: throws `VerifierError` ERR_VERIFIER_EK_REVOKED or _CERTIFICATE_EXPIRED. */
export function checkEnrolment(node: EnrolledNode, deps: Pick<VerifyRoundDeps, 'endorse' | 'now'>): void {
  if (deps.endorse(node) === 'withdrawn') {
    throw new VerifierError(
      'ERR_VERIFIER_EK_REVOKED',
      'the trust file no longer pins the EK of this kube node, or asks for a chain of EK certificates that does not hold',
    );
  }
  if (node.expiresAtMs <= deps.now()) {
    throw new VerifierError(
      'ERR_VERIFIER_CERTIFICATE_EXPIRED',
      'the certificates of this kube node ran out: enrol again',
    );
  }
}

/** What the quotes of a verified token say. Throws `VerifierError` ERR_VERIFIER_NO_QUOTE where it has none. */
export function readQuotes(token: VerifiedToken): QuoteFacts {
  const [first, second] = requireQuotes(token);
  const { resetCount, restartCount } = first.quote.clockInfo;
  return {
    resetCount,
    restartCount,
    safe: first.quote.clockInfo.safe && second.quote.clockInfo.safe,
    imaPcrIsZero: second.quote.pcrDigest.equals(ZERO_PCR_DIGEST),
  };
}

function readClock(token: VerifiedToken): QuotedClock {
  const [{ quote: first }, { quote: second }] = requireQuotes(token);
  return {
    firstMs: toMs(first.clockInfo.clock),
    lastMs: toMs(second.clockInfo.clock),
    safe: first.clockInfo.safe,
  };
}

function requireQuotes(token: VerifiedToken): NonNullable<VerifiedToken['quotes']> {
  if (token.quotes === null) throw new VerifierError('ERR_VERIFIER_NO_QUOTE', 'this kube node is enrolled with a TPM');
  return token.quotes;
}

/** The owner of a TPM may set its clock ahead by ages; what lies beyond 2^53 ms is one and the same time here. */
function toMs(clock: bigint): number {
  return Number(clock < MAX_CLOCK ? clock : MAX_CLOCK);
}
