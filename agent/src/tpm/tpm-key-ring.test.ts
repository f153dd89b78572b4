import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { EkTemplateName } from '../config/agent-config.ts';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { FakeTpm, FakeTpmError } from './fake-tpm-device.test-support.ts';
import { parseKeyFile } from './key-file.ts';
import { type LoadedKeys, TpmKeyRing } from './tpm-key-ring.ts';
import { TpmQueue } from './tpm-queue.ts';

function createRing(tpm: FakeTpm, state: FakeStateDirectory, name: EkTemplateName = 'L-1') {
  const clock = new FakeClock();
  const replaced: string[] = [];
  const queue = new TpmQueue({ clock, open: async () => tpm.open(), onLost: () => undefined });
  const ring = new TpmKeyRing({
    queue,
    state,
    ekTemplate: { name, public: Buffer.from('template') },
    randomBytes,
    nowMs: () => clock.nowMs(),
    onReplaced: (reason) => replaced.push(reason),
  });
  return { ring, replaced, queue, clock };
}

const takeKeys = (keys: LoadedKeys) => Promise.resolve(keys);

test('the first start makes both keys with random auth values and keeps their blobs', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  const { ring, replaced } = createRing(tpm, state);
  const keys = await ring.use(takeKeys);
  const file = parseKeyFile(state.files.get('keys.json') ?? Buffer.alloc(0));
  assert.deepEqual(replaced, ['firstStart']);
  assert.deepEqual(file.ak.public, keys.identity.akPublic);
  assert.deepEqual(file.signing.public, keys.identity.signingPublic);
  assert.equal(file.ak.auth.length, 32);
  assert.notDeepEqual(file.ak.auth, file.signing.auth);
  assert.equal(keys.resetCount, 7);
  assert.equal(tpm.objects.size, 2, 'the EK is flushed, the keys stay');
});

test('keys are loaded once for a context', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  const { ring } = createRing(tpm, state);
  await ring.use(takeKeys);
  tpm.commands.length = 0;
  await ring.use(takeKeys);
  assert.deepEqual(tpm.commands, []);
});

test('another run loads the same keys', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  const first = await createRing(tpm, state).ring.use(takeKeys);
  tpm.reset();
  const { ring, replaced } = createRing(tpm, state);
  const second = await ring.use(takeKeys);
  assert.equal(second.identity.kid, first.identity.kid);
  assert.deepEqual(replaced, []);
  assert.equal(second.resetCount, 8);
});

test('a cleared TPM gets new keys, and the old file is kept aside', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  const first = await createRing(tpm, state).ring.use(takeKeys);
  const oldFile = state.files.get('keys.json');
  tpm.reset();
  tpm.seed = 'seed-2';
  const { ring, replaced } = createRing(tpm, state);
  const second = await ring.use(takeKeys);
  assert.deepEqual(replaced, ['foreignBlobs']);
  assert.notEqual(second.identity.kid, first.identity.kid);
  assert.deepEqual(state.files.get('keys.previous.json'), oldFile);
  assert.equal(tpm.objects.size, 2);
});

test('another EK, or another template, means new keys', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  await createRing(tpm, state).ring.use(takeKeys);
  tpm.reset();
  tpm.ekPublic = Buffer.from('an endorsement key of another TPM');
  const other = createRing(tpm, state);
  await other.ring.use(takeKeys);
  assert.deepEqual(other.replaced, ['otherEk']);
  tpm.reset();
  const template = createRing(tpm, state, 'H-2');
  await template.ring.use(takeKeys);
  assert.deepEqual(template.replaced, ['otherEk']);
});

test('any other failure to load leaves the file alone and nothing in the TPM', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  await createRing(tpm, state).ring.use(takeKeys);
  const before = state.files.get('keys.json');
  tpm.reset();
  tpm.failures.set('load', new FakeTpmError('ERR_TPM', 0x921));
  const { ring, replaced } = createRing(tpm, state);
  await assert.rejects(ring.use(takeKeys), { rc: 0x921 });
  assert.deepEqual(state.files.get('keys.json'), before);
  assert.deepEqual(replaced, []);
  assert.equal(tpm.objects.size, 0);
});

test('a damaged file is refused and not overwritten', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  state.files.set('keys.json', Buffer.from('{"format":"holdfast-keys-v1"'));
  const { ring } = createRing(tpm, state);
  await assert.rejects(ring.use(takeKeys), { code: 'ERR_AGENT_KEYS' });
  assert.equal(state.files.get('keys.json')?.toString(), '{"format":"holdfast-keys-v1"');
  assert.equal(tpm.objects.size, 0);
});

test('a job that finds its objects gone runs once more with the keys loaded again', async () => {
  const [tpm, state] = [new FakeTpm(), new FakeStateDirectory()];
  const { ring } = createRing(tpm, state);
  await ring.use(takeKeys);
  tpm.reset();
  const options = { qualifyingData: Buffer.alloc(32), selection: Buffer.from('00000001000b03ff0000', 'hex') };
  const counts: number[] = [];
  await ring.use(async ({ device, ak, akAuth, resetCount }) => {
    counts.push(resetCount);
    return await device.quote({ key: ak, authValue: akAuth, ...options });
  });
  assert.deepEqual(counts, [7, 8]);
});

test('only low-range templates need the policy of the endorsement hierarchy', () => {
  const policy = (name: EkTemplateName) => createRing(new FakeTpm(), new FakeStateDirectory(), name).ring.ekPolicy;
  assert.deepEqual(policy('L-1'), { ekPolicy: 'endorsement' });
  assert.deepEqual(policy('L-2'), { ekPolicy: 'endorsement' });
  assert.deepEqual(policy('H-1'), {});
});
