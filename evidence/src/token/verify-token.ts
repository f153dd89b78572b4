import { verify } from 'node:crypto';
import { decodeBase64url } from '../encoding/base64url.ts';
import { EvidenceError } from '../evidence-error.ts';
import { encodeDerSignature } from '../tpm/der-signature.ts';
import { composePcrDigest } from '../tpm/pcr-composite.ts';
import type { PcrSelection } from '../tpm/pcr-selection.ts';
import { type VerifiedQuote, verifyQuote } from '../tpm/quote.ts';
import { type EnrolledKeys, type PreparedAk, PreparedKeys, prepareEnrolledKeys } from './enrolled-keys.ts';
import { computeQualifyingData, PROFILE_SELECTIONS } from './quote-binding.ts';
import type { TokenClaims, TokenQuote } from './token-claims.ts';
import type { UnverifiedToken } from './unverified-token.ts';

/** Longest time between the two quotes of a round, by the TPM's clock. */
const MAX_QUOTE_DISTANCE_MS = 10_000n;

export interface VerifyTokenOptions {
  /**
   * Accept a token without quotes from a kube node that was enrolled without a TPM. Nothing then shows that the
   * Attester is what it says. Default false; a kube node enrolled with a TPM is never accepted without quotes.
   */
  readonly allowWithoutTpm?: boolean;
}

/** A quote of a verified token. */
export interface VerifiedTokenQuote {
  readonly quote: VerifiedQuote;
  /**
   * Values that the Attester states for selected PCRs that no log explains. Compared with the quote only when every
   * selected PCR is stated; otherwise unverified until the whole composite is.
   */
  readonly statedPcrs: ReadonlyMap<number, Buffer>;
}

/**
 * A token whose signature, quotes and binding hold for the keys it was verified with; only `verifyToken` makes one.
 * Its claims are what the Attester said, authentic in origin; neither fresh (see `checkNonce`) nor true.
 */
export class VerifiedToken {
  readonly #token: UnverifiedToken;
  /** `none`: enrolled without a TPM. Every result must say so. */
  readonly base: 'tpm' | 'none';
  /** PCRs 0-9 and 11-15, then PCR 10; null without a TPM. */
  readonly quotes: readonly [VerifiedTokenQuote, VerifiedTokenQuote] | null;
  readonly kid: string;
  readonly ueid: string;

  private constructor(
    token: UnverifiedToken,
    keys: PreparedKeys,
    quotes: [VerifiedTokenQuote, VerifiedTokenQuote] | null,
  ) {
    this.#token = token;
    this.base = quotes === null ? 'none' : 'tpm';
    this.quotes = quotes;
    this.kid = keys.kid;
    this.ueid = keys.ueid;
  }

  get claims(): TokenClaims {
    return this.#token.claims;
  }

  /** SHA-256 of the signing input, hex: the identity of this evidence. */
  get evidenceId(): string {
    return this.#token.evidenceId;
  }

  get compact(): string {
    return this.#token.compact;
  }

  /** See `verifyToken`. */
  static verify(token: UnverifiedToken, keys: PreparedKeys, options: VerifyTokenOptions): VerifiedToken {
    checkKeyBinding(token, keys);
    checkSignature(token, keys);
    checkIdentity(token.claims, keys);
    if (keys.ak === null) {
      checkWithoutTpm(token, options);
      return new VerifiedToken(token, keys, null);
    }
    const quotes = verifyQuotes(token, keys.ak);
    checkSameMoment(quotes[0].quote, quotes[1].quote);
    checkBootCount(token.claims, quotes[0].quote);
    return new VerifiedToken(token, keys, quotes);
  }
}

/**
 * Verifies a parsed token with the keys of its enrolment, in this order: `kid`, `cnf` and the enrolled signing key are
 * one; signature; `ueid` is that of the enrolled EK; both quotes are signed by the enrolled AK over this very payload,
 * with the profile's PCRs, under the enrolled EK in the endorsement hierarchy; stated PCR values that cover a whole quote
 * match it; both quotes come from one boot session and firmware, in order, at most 10 s apart; `bootcount` is the TPM's.
 *
 * Not checked here: freshness, the chain, what the PCR digests stand for, and every claim of the payload.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY, ERR_EVIDENCE_SIGNATURE, ERR_EVIDENCE_QUOTE, ERR_EVIDENCE_BINDING,
 * ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_CLAIMS.
 */
export function verifyToken(
  token: UnverifiedToken,
  keys: EnrolledKeys | PreparedKeys,
  options: VerifyTokenOptions = {},
): VerifiedToken {
  return VerifiedToken.verify(token, keys instanceof PreparedKeys ? keys : prepareEnrolledKeys(keys), options);
}

function checkKeyBinding({ header, claims }: UnverifiedToken, keys: PreparedKeys): void {
  if (header.kid !== keys.kid) throw new EvidenceError('ERR_EVIDENCE_KEY', 'kid is not the enrolled signing key');
  const { x, y } = claims.cnf.jwk;
  if (x !== keys.jwk.x || y !== keys.jwk.y) {
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'cnf is not the enrolled signing key');
  }
}

function checkSignature({ signingInput, signature }: UnverifiedToken, { signingKey }: PreparedKeys): void {
  if (!verify('sha256', Buffer.from(signingInput, 'ascii'), signingKey, encodeDerSignature(signature))) {
    throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'token signature does not verify');
  }
}

function checkIdentity(claims: TokenClaims, keys: PreparedKeys): void {
  if (claims.ueid !== keys.ueid) throw new EvidenceError('ERR_EVIDENCE_KEY', 'ueid is not the enrolled one');
}

function checkWithoutTpm({ header, claims }: UnverifiedToken, options: VerifyTokenOptions): void {
  if (options.allowWithoutTpm !== true) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'evidence without a TPM is not accepted');
  }
  if (header.tpm !== undefined || claims.bootcount !== undefined) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'token speaks of a TPM that was never enrolled');
  }
}

function verifyQuotes({ header, payload }: UnverifiedToken, ak: PreparedAk): [VerifiedTokenQuote, VerifiedTokenQuote] {
  if (header.tpm === undefined) throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'token has no quotes');
  const qualifyingData = computeQualifyingData(payload);
  const [boot, ima] = header.tpm;
  return [
    verifyTokenQuote(boot, ak, qualifyingData, PROFILE_SELECTIONS[0]),
    verifyTokenQuote(ima, ak, qualifyingData, PROFILE_SELECTIONS[1]),
  ];
}

function verifyTokenQuote(
  { ak: akName, attest, sig, pcrs }: TokenQuote,
  ak: PreparedAk,
  qualifyingData: Buffer,
  selection: readonly PcrSelection[],
): VerifiedTokenQuote {
  if (!decodeBase64url(akName).equals(ak.name)) throw new EvidenceError('ERR_EVIDENCE_KEY', 'quote names another AK');
  const signed = { attest: decodeBase64url(attest), signature: decodeBase64url(sig) };
  const { key, qualifiedSigner } = ak;
  const quote = verifyQuote(signed, { key, qualifyingData, selection, qualifiedSigner });
  const statedPcrs = new Map(
    Object.entries(pcrs.sha256 ?? {}).map(([index, value]) => [Number(index), Buffer.from(value, 'hex')]),
  );
  checkStatedPcrs(quote, statedPcrs);
  return { quote, statedPcrs };
}

function checkStatedPcrs(quote: VerifiedQuote, stated: ReadonlyMap<number, Buffer>): void {
  const selected = new Set(quote.selection.flatMap(({ pcrs }) => pcrs));
  if ([...stated.keys()].some((pcr) => !selected.has(pcr))) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'value stated for a PCR that is not quoted');
  }
  if (stated.size < selected.size) return;
  if (!composePcrDigest(quote.selection, { sha256: stated }, quote.algorithm).equals(quote.pcrDigest)) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'stated PCR values are not the quoted ones');
  }
}

/** Two quotes of different moments or machines, put side by side, would each verify. */
function checkSameMoment(first: VerifiedQuote, second: VerifiedQuote): void {
  const a = first.clockInfo;
  const b = second.clockInfo;
  if (a.resetCount !== b.resetCount || a.restartCount !== b.restartCount) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'quotes come from different boot sessions');
  }
  if (first.firmwareVersion !== second.firmwareVersion) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'quotes come from different TPM firmware');
  }
  if (b.clock < a.clock || b.clock - a.clock > MAX_QUOTE_DISTANCE_MS) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'quotes are not in order or too far apart');
  }
}

function checkBootCount(claims: TokenClaims, quote: VerifiedQuote): void {
  if (claims.bootcount !== quote.clockInfo.resetCount) {
    throw new EvidenceError('ERR_EVIDENCE_QUOTE', 'bootcount is not the resetCount of the quotes');
  }
}
