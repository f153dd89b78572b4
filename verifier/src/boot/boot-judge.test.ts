import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  parseToken,
  prepareEnrolledKeys,
  type TokenQuote,
  type VerifiedTokenQuote,
  verifyToken,
} from '@holdfast/evidence';
import { createClaimsContent } from '../../../test/support/claims-fixture.ts';
import { SoftwareAttester } from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { createBootJudge, judgeBoot, type LoggedBoot } from './boot-judge.ts';

const tpm = new SoftwareTpm();
const attester = new SoftwareAttester(tpm, 'node-1', 'f'.repeat(64));
const keys = prepareEnrolledKeys({ signingKey: tpm.signing.publicKey, akPublic: tpm.ak.public, ekName: tpm.ek.name });
const EMPTY: LoggedBoot = { bootLog: null };

/** The first quote of a new token; `stated` are values that the Attester states beside it. */
function quote(stated: TokenQuote['pcrs'] = {}): VerifiedTokenQuote {
  const nonce = randomBytes(32).toString('base64url');
  const content = createClaimsContent('node-1', []);
  const round = attester.makeRound(nonce, content, {
    quotes: ([boot, ima]) => [{ ...boot, pcrs: stated }, ima],
  });
  const { quotes } = verifyToken(parseToken(round.token), keys);
  assert.ok(quotes !== null);
  return quotes[0];
}

test('a quote of the same PCRs is concluded once for one log', () => {
  const judge = createBootJudge();
  const conclusion = judge(EMPTY, quote(), null);
  assert.deepEqual(conclusion, judgeBoot(EMPTY, quote(), null));
  assert.equal(judge(EMPTY, quote(), null), conclusion);
});

test('other quoted PCRs are concluded anew', (t) => {
  const judge = createBootJudge();
  assert.equal(judge(EMPTY, quote(), null).isQuoted, true);
  const before = tpm.pcrs.get(4);
  t.after(() => (before === undefined ? tpm.pcrs.delete(4) : tpm.pcrs.set(4, before)));
  tpm.pcrs.set(4, Buffer.alloc(32, 9));
  assert.equal(judge(EMPTY, quote(), null).isQuoted, false);
});

test('other stated values are concluded anew', () => {
  const judge = createBootJudge();
  assert.equal(judge(EMPTY, quote(), null).isQuoted, true);
  assert.equal(judge(EMPTY, quote({ sha256: { 4: '09'.repeat(32) } }), null).isQuoted, false);
  assert.equal(judge(EMPTY, quote({ sha256: { 4: '00'.repeat(32) } }), null).isQuoted, true);
});

test('another log is concluded by itself, and so is what the operating system logged', () => {
  const judge = createBootJudge();
  assert.notEqual(judge({ bootLog: { state: 'missing' } }, quote(), null), judge(EMPTY, quote(), null));
  const first = judge(EMPTY, quote(), null);
  assert.notEqual(judge(EMPTY, quote(), Buffer.from('{}')), first);
  assert.notEqual(judge(EMPTY, quote(), null), judge(EMPTY, quote(), Buffer.alloc(0)));
});
