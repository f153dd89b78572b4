import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { computeKid, exportSigningJwk, parsePublic, publicToKeyObject } from '@holdfast/evidence';
import { type EnrollKeys, type EnrollRequest, EnrollResponseSchema } from '@holdfast/proto';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { FakeTpm, FakeTpmError } from '../tpm/fake-tpm-device.test-support.ts';
import { TpmKeyRing } from '../tpm/tpm-key-ring.ts';
import { TpmQueue } from '../tpm/tpm-queue.ts';
import type { EnrolmentPort } from './enrol.ts';
import { Enroller } from './enroller.ts';

type Step = NonNullable<MessageInitShape<typeof EnrollResponseSchema>['step']>;
type Fault = () => Promise<void>;

const DAY_MS = 24 * 3_600_000;

/** A Verifier's view of the AK: what it has enrolled, and what each new one was to it. */
class FakeVerifier {
  readonly successions: string[] = [];
  akPublic: Buffer | undefined;
  /** Each is run once: before the nonce is answered, and after the keys were stored. */
  onBegin: Fault | undefined;
  onStored: Fault | undefined;

  readonly open = (): EnrolmentPort => {
    let keys: EnrollKeys | undefined;
    let answer: Promise<Step> = Promise.reject(new Error('nothing was asked'));
    answer.catch(() => undefined);
    return {
      send: async ({ step }: EnrollRequest) => {
        if (step.case === 'keys') keys = step.value;
        answer = this.#answer(step.case, keys);
        answer.catch(() => undefined);
      },
      receive: async () => create(EnrollResponseSchema, { step: await answer }),
      close: () => undefined,
    };
  };

  async #answer(asked: EnrollRequest['step']['case'], keys: EnrollKeys | undefined): Promise<Step> {
    if (asked === 'begin') {
      await this.#run('onBegin');
      return { case: 'nonce', value: { nonce: Buffer.alloc(32, 1) } };
    }
    if (asked === 'keys') {
      return { case: 'challenge', value: { idObject: Buffer.from('id'), encryptedSecret: Buffer.from('secret') } };
    }
    if (keys === undefined) throw new Error('no keys were offered');
    this.#store(keys);
    await this.#run('onStored');
    const signing = publicToKeyObject(parsePublic(keys.signingPublic));
    return { case: 'enrolled', value: { kid: computeKid(exportSigningJwk(signing)), certificates: [] } };
  }

  #store({ akPublic, rotationAttest }: EnrollKeys): void {
    const isSame = this.akPublic?.equals(akPublic) === true;
    const other = rotationAttest.length > 0 ? 'rotated' : 'replaced';
    this.successions.push(this.akPublic === undefined ? 'first' : isSame ? 'same' : other);
    this.akPublic = Buffer.from(akPublic);
  }

  async #run(name: 'onBegin' | 'onStored'): Promise<void> {
    const fault = this[name];
    this[name] = undefined;
    await fault?.();
  }
}

/** An agent that is enrolled with keys that are due to be rotated. */
async function createAged() {
  const [tpm, state, clock, verifier] = [new FakeTpm(), new FakeStateDirectory(), new FakeClock(), new FakeVerifier()];
  const isThere = { tpm: true };
  const open = async () => {
    if (!isThere.tpm) throw new Error('no TPM');
    tpm.objects.clear();
    return tpm.open();
  };
  const queue = new TpmQueue({ clock, open, onLost: () => undefined });
  const keys = new TpmKeyRing({
    queue,
    state,
    ekTemplate: { name: 'L-1', public: Buffer.from('template') },
    randomBytes,
    nowMs: () => clock.nowMs(),
    onReplaced: () => undefined,
  });
  const failed: unknown[] = [];
  const start = () =>
    Enroller.open({
      state,
      keys,
      clock,
      kubeNode: 'worker-1',
      tlsSpkiSha256: 'cd'.repeat(32),
      verifier: 'verifier:1',
      keyLifetimeMs: DAY_MS,
      onEnrolled: () => undefined,
      onRotationFailed: (error) => failed.push(error),
    });
  const enroller = await start();
  await enroller.ensure(verifier.open);
  await clock.advance(DAY_MS);
  const ensure = (again = enroller) => again.ensure(verifier.open);
  /** Whether the agent speaks with the AK that the Verifier has, and nothing is left over. */
  const isSettled = async () => {
    const akPublic = await keys.use(async ({ identity }) => identity.akPublic);
    return verifier.akPublic?.equals(akPublic) === true && !state.files.has('keys.next.json');
  };
  return { tpm, state, clock, keys, verifier, isThere, failed, enroller, start, ensure, isSettled };
}

const breakStream: Fault = () => Promise.reject(new Error('the stream broke'));
const refuse = (code: string): Fault => {
  return () => Promise.reject(Object.assign(new Error('refused'), { details: `${code}: no` }));
};

test('a rotation whose answer is lost is asked for again with the same keys, and replaces none', async () => {
  const { verifier, ensure, failed, isSettled } = await createAged();
  verifier.onStored = breakStream;
  await assert.rejects(ensure(), /stream broke/);
  assert.equal(failed.length, 1);
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated', 'same']);
  assert.ok(await isSettled());
});

test('a rotation whose enrolment cannot be written down is asked for again with the same keys', async () => {
  const { verifier, state, ensure, isSettled } = await createAged();
  verifier.onStored = async () => {
    state.failWrites = true;
  };
  await assert.rejects(ensure(), /no space left/);
  state.failWrites = false;
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated', 'same']);
  assert.ok(await isSettled());
});

test('a TPM that is lost when the new keys take over has them take over at the next attempt', async () => {
  const { verifier, keys, clock, isThere, ensure, enroller, isSettled } = await createAged();
  verifier.onStored = async () => {
    isThere.tpm = false;
    await keys.use(() => Promise.reject(new FakeTpmError('ERR_TPM_TCTI'))).catch(() => undefined);
  };
  await assert.rejects(ensure(), { code: 'ERR_AGENT_TPM' });
  isThere.tpm = true;
  await clock.advance(20_000);
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated']);
  assert.ok(await isSettled());
  assert.ok(enroller.renewalInMs > 0);
});

for (const [name, restarts] of [
  ['a failure before the next proof', false],
  ['a new start of the agent', true],
] as const) {
  test(`keys that a verifier may have outlive ${name}, also when it says that it knows the present ones no more`, async () => {
    const { verifier, enroller, start, ensure, isSettled } = await createAged();
    verifier.onStored = breakStream;
    await assert.rejects(ensure());
    enroller.forget();
    const again = restarts ? await start() : enroller;
    verifier.onBegin = breakStream;
    await assert.rejects(ensure(again), /stream broke/);
    await ensure(again);
    assert.deepEqual(verifier.successions, ['first', 'rotated', 'same']);
    assert.ok(await isSettled());
  });
}

test('new keys that no verifier can have are not insisted on', async () => {
  const { verifier, ensure, failed } = await createAged();
  verifier.onBegin = breakStream;
  await ensure();
  assert.equal(failed.length, 1);
  assert.deepEqual(verifier.successions, ['first', 'same']);
});

test('a verifier that has other keys than the present ones and their successor gets the present ones', async () => {
  const { verifier, state, ensure } = await createAged();
  verifier.onStored = breakStream;
  await assert.rejects(ensure());
  verifier.akPublic = Buffer.from('of a backup');
  verifier.onBegin = refuse('ERR_VERIFIER_ROTATION');
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated', 'replaced']);
  assert.ok(!state.files.has('keys.next.json'));
});

test('another refusal says nothing of who has the new keys', async () => {
  const { verifier, ensure, isSettled } = await createAged();
  verifier.onStored = breakStream;
  await assert.rejects(ensure());
  verifier.onBegin = refuse('ERR_VERIFIER_EK_UNKNOWN');
  await assert.rejects(ensure(), /refused/);
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated', 'same']);
  assert.ok(await isSettled());
});

test('the successor of keys that another TPM took the place of goes with them', async () => {
  const { verifier, tpm, clock, keys, ensure, isSettled } = await createAged();
  verifier.onStored = breakStream;
  await assert.rejects(ensure());
  tpm.reset();
  tpm.seed = 'seed-2';
  await keys.use(() => Promise.reject(new FakeTpmError('ERR_TPM_TCTI'))).catch(() => undefined);
  await clock.advance(20_000);
  await ensure();
  assert.deepEqual(verifier.successions, ['first', 'rotated', 'replaced']);
  assert.ok(await isSettled());
});
