import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  computeQualifyingData,
  encodePcrSelection,
  parsePublic,
  publicToKeyObject,
  QUOTE_SELECTIONS,
  verifyQuote,
} from '@holdfast/evidence';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { FakeTpm } from './fake-tpm-device.test-support.ts';
import { TpmKeyRing } from './tpm-key-ring.ts';
import { TpmQueue } from './tpm-queue.ts';
import { createTpmSealer } from './tpm-sealer.ts';

const PAYLOAD = Buffer.from('{"claims":"of a round"}').toString('base64url');
const PCRS = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15], [10]];

function createSealer(tpm: FakeTpm, logged: number[] = []) {
  const queue = new TpmQueue({ clock: new FakeClock(), open: async () => tpm.open(), onLost: () => undefined });
  const keys = new TpmKeyRing({
    queue,
    state: new FakeStateDirectory(),
    ekTemplate: { name: 'L-1', public: Buffer.from('template') },
    randomBytes,
    nowMs: () => 0,
    onReplaced: () => undefined,
  });
  return { sealer: createTpmSealer({ keys, listLoggedPcrs: () => new Set(logged) }), keys };
}

function readHeader(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
}

test('both quotes cover exactly the payload and the PCRs of the profile', async () => {
  const { sealer, keys } = createSealer(new FakeTpm());
  const token = await sealer.seal(() => PAYLOAD);
  const { identity } = await keys.use((loaded) => Promise.resolve(loaded));
  const { tpm, kid } = readHeader(token);
  assert.equal(kid, identity.kid);
  assert.equal(token.split('.')[1], PAYLOAD);
  assert.equal(QUOTE_SELECTIONS.length, tpm.length);
  for (const [at, quote] of tpm.entries()) {
    const pcrs = PCRS[at] ?? [];
    assert.deepEqual(QUOTE_SELECTIONS[at], encodePcrSelection([{ bank: 'sha256', pcrs }]));
    assert.equal(quote.ak, identity.akName.toString('base64url'));
    verifyQuote(
      { attest: Buffer.from(quote.attest, 'base64url'), signature: Buffer.from(quote.sig, 'base64url') },
      {
        key: publicToKeyObject(parsePublic(identity.akPublic)),
        qualifyingData: computeQualifyingData(PAYLOAD),
        selection: [{ bank: 'sha256', pcrs }],
      },
    );
  }
});

test('the facts tell the boot count of the TPM and the keys', async () => {
  const { sealer, keys } = createSealer(new FakeTpm());
  const { identity } = await keys.use((loaded) => Promise.resolve(loaded));
  const facts = await sealer.readFacts();
  assert.equal(facts.bootCount, 7);
  assert.equal(facts.kid, identity.kid);
  assert.equal(facts.owner, identity.ekName.toString('hex'));
});

test('a token takes three commands once the PCRs are known', async () => {
  const tpm = new FakeTpm();
  const { sealer } = createSealer(tpm);
  await sealer.seal(() => PAYLOAD);
  tpm.commands.length = 0;
  await sealer.seal(() => PAYLOAD);
  assert.deepEqual(tpm.commands, ['quote', 'quote', 'sign']);
});

test('values are told of PCRs that no log explains, zero ones left out', async () => {
  const tpm = new FakeTpm();
  tpm.pcrs[4] = Buffer.alloc(32, 4);
  tpm.pcrs[7] = Buffer.alloc(32, 7);
  const { sealer } = createSealer(tpm, [7]);
  const [first, second] = readHeader(await sealer.seal(() => PAYLOAD)).tpm;
  assert.deepEqual(first.pcrs, { sha256: { 4: '04'.repeat(32) } });
  assert.deepEqual(second.pcrs, {});
});

test('a PCR that moved is read again, so that what is told explains the quote', async () => {
  const tpm = new FakeTpm();
  const { sealer } = createSealer(tpm);
  await sealer.seal(() => PAYLOAD);
  tpm.pcrs[11] = Buffer.alloc(32, 11);
  const [first] = readHeader(await sealer.seal(() => PAYLOAD)).tpm;
  assert.deepEqual(first.pcrs, { sha256: { 11: '0b'.repeat(32) } });
});

test('PCR 10 is not read where IMA explains it', async () => {
  const tpm = new FakeTpm();
  tpm.pcrs[10] = Buffer.alloc(32, 10);
  const { sealer } = createSealer(tpm, [10]);
  const [, second] = readHeader(await sealer.seal(() => PAYLOAD)).tpm;
  assert.deepEqual(second.pcrs, {});
});
