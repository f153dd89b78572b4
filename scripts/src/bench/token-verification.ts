import { type KeyObject, randomBytes, verify } from 'node:crypto';
import {
  encodeDerSignature,
  parseSignature,
  parseToken,
  prepareEnrolledKeys,
  toRawSignature,
  verifyToken,
} from '@holdfast/evidence';
import { createClaimsContent } from '../../../test/support/claims-fixture.ts';
import { SoftwareAttester } from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { type Figure, note } from './figure.ts';
import { interleave, measureRate, median, medianRatio } from './sampling.ts';

/**
 * A signature check with nothing round it: a key object at hand, the signed bytes, the signature in DER, which is the form
 * that node:crypto checks fastest.
 */
export interface RawCheck {
  readonly key: KeyObject;
  readonly message: Buffer;
  readonly signature: Buffer;
}

/** The three checks of one token: its own signature, then both quotes. */
export function listRawChecks(compact: string, tpm: SoftwareTpm): RawCheck[] {
  const token = parseToken(compact);
  const end = compact.lastIndexOf('.');
  const own = {
    key: tpm.signing.publicKey,
    message: Buffer.from(compact.slice(0, end)),
    signature: encodeDerSignature(token.signature),
  };
  const quotes = (token.header.tpm ?? []).map(({ attest, sig }) => {
    const raw = toRawSignature(parseSignature(Buffer.from(sig, 'base64url')));
    return {
      key: tpm.ak.publicKey,
      message: Buffer.from(attest, 'base64url'),
      signature: encodeDerSignature(raw),
    };
  });
  return [own, ...quotes];
}

/** Runs the checks; throws when one fails, since then nothing was measured. */
export function runRawChecks(checks: readonly RawCheck[]): void {
  for (const { key, message, signature } of checks) {
    if (!verify('sha256', message, key, signature)) throw new Error('a raw signature check failed');
  }
}

/** Whole verifications of a token (parse, signature, both quotes, binding) beside the raw checks of its signatures. */
export async function measureVerification(count: number): Promise<Figure[]> {
  const tpm = new SoftwareTpm();
  const attester = new SoftwareAttester(tpm, 'bench', 'f'.repeat(64));
  const { token } = attester.makeRound(randomBytes(32).toString('base64url'), createClaimsContent('bench', []));
  const { ak, signing, ek } = tpm;
  const keys = prepareEnrolledKeys({ signingKey: signing.publicKey, akPublic: ak.public, ekName: ek.name });
  const checks = listRawChecks(token, tpm);
  const quoteChecks = checks.slice(1);
  const rates = await interleave(
    {
      whole: async () => measureRate(count, () => verifyToken(parseToken(token), keys)),
      raw: async () => measureRate(count, () => runRawChecks(checks)),
      quotes: async () => measureRate(count, () => runRawChecks(quoteChecks)),
    },
    9,
  );
  return [
    note('token verifications', median(rates.whole), '/s'),
    note('token verifications against its three raw signature checks', medianRatio(rates.whole, rates.raw), '×'),
    note('token verifications against the two raw checks of its quotes', medianRatio(rates.whole, rates.quotes), '×'),
  ];
}
