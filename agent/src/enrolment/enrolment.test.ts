import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { computeProof, computeTranscript, encodeSigningTemplate } from '@holdfast/evidence';
import { type EnrollRequest, type EnrollResponse, EnrollResponseSchema } from '@holdfast/proto';
import { AgentError } from '../agent-error.ts';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeStateDirectory } from '../state/fake-state-directory.test-support.ts';
import { FakeTpm } from '../tpm/fake-tpm-device.test-support.ts';
import { TpmKeyRing } from '../tpm/tpm-key-ring.ts';
import { TpmQueue } from '../tpm/tpm-queue.ts';
import { readEkCertificates } from './ek-certificates.ts';
import { type EnrolmentPort, enrol } from './enrol.ts';
import { Enroller } from './enroller.ts';
import { chooseRenewalTime, type Enrolment, encodeEnrolment, parseEnrolment } from './enrolment-file.ts';
import { createPresentKeys } from './enrolment-keys.ts';

const TLS = 'cd'.repeat(32);
/** No certificate in these tests but one is about a key, so that any EK will do. */
const EK_PUBLIC = encodeSigningTemplate();
const NONCE = Buffer.alloc(32, 1);
const CREDENTIAL = { idObject: Buffer.from('id object'), encryptedSecret: Buffer.from('secret') };
type Step = NonNullable<MessageInitShape<typeof EnrollResponseSchema>['step']>;

function createKeys(tpm = new FakeTpm(), state = new FakeStateDirectory()) {
  const clock = new FakeClock();
  const queue = new TpmQueue({ clock, open: async () => tpm.open(), onLost: () => undefined });
  const ekTemplate = { name: 'L-1' as const, public: Buffer.from('template') };
  return {
    tpm,
    state,
    clock,
    keys: new TpmKeyRing({
      queue,
      state,
      ekTemplate,
      randomBytes,
      nowMs: () => clock.nowMs(),
      onReplaced: () => undefined,
    }),
  };
}

/** Answers the steps in their order. */
function createPort(answers: Step[]) {
  const sent: EnrollRequest['step'][] = [];
  const rest = [...answers];
  const port: EnrolmentPort & { isClosed: boolean } = {
    isClosed: false,
    send: async ({ step }) => void sent.push(step),
    receive: async (): Promise<EnrollResponse> => {
      const step = rest.shift();
      if (step === undefined) throw new Error('the stream ended');
      return create(EnrollResponseSchema, { step });
    },
    close: () => {
      port.isClosed = true;
    },
  };
  return { port, sent };
}

const inOrder = (kid: string, certificates: Buffer[] = []): Step[] => [
  { case: 'nonce', value: { nonce: NONCE } },
  { case: 'challenge', value: CREDENTIAL },
  { case: 'enrolled', value: { kid, certificates } },
];

test('an enrolment tells the keys and proves the whole exchange with the activated secret', async () => {
  const { keys, tpm } = createKeys();
  const certificate = Buffer.concat([Buffer.of(0x30, 0x82, 0, 3), Buffer.from('DER'), Buffer.alloc(20, 0xff)]);
  tpm.nv.set(0x01c00002, certificate);
  const { identity } = await keys.use((loaded) => Promise.resolve(loaded));
  const { port, sent } = createPort(inOrder(identity.kid, [Buffer.from('AK'), Buffer.from('key')]));
  const result = await enrol(port, { keys: createPresentKeys(keys), kubeNode: 'worker-1', tlsSpkiSha256: TLS });
  assert.deepEqual(result, {
    kid: identity.kid,
    certificates: [Buffer.from('AK'), Buffer.from('key')],
    ekCertificates: [certificate.subarray(0, 7)],
  });
  const [begin, offered, proof] = sent;
  assert.ok(begin?.case === 'begin' && offered?.case === 'keys' && proof?.case === 'proof');
  assert.deepEqual(begin.value.ekCertificates, [certificate.subarray(0, 7)]);
  assert.deepEqual(offered.value.akPublic, identity.akPublic);
  const transcript = computeTranscript({ ...begin.value, nonce: NONCE, ...offered.value, ...CREDENTIAL });
  // The fake TPM activates to the reversed id object.
  const secret = Buffer.from(CREDENTIAL.idObject).reverse();
  assert.deepEqual(Buffer.from(proof.value.hmac), computeProof(secret, transcript));
  assert.equal(tpm.objects.size, 2, 'the EK is flushed');
});

const disorders: [string, Step[]][] = [
  ['a challenge before the nonce', [{ case: 'challenge', value: CREDENTIAL }]],
  ['a short nonce', [{ case: 'nonce', value: { nonce: Buffer.alloc(8) } }]],
  [
    'the end before the challenge',
    [
      { case: 'nonce', value: { nonce: NONCE } },
      { case: 'enrolled', value: { kid: 'x' } },
    ],
  ],
  ['another key', inOrder('another kid')],
];

for (const [name, answers] of disorders) {
  test(`a verifier that answers with ${name} enrols nothing`, async () => {
    const { port } = createPort(answers);
    await assert.rejects(
      enrol(port, { keys: createPresentKeys(createKeys().keys), kubeNode: 'worker-1', tlsSpkiSha256: TLS }),
      {
        code: 'ERR_AGENT_ENROLMENT',
      },
    );
  });
}

test('EK certificates are found in NV, cut to their length, and what is none is passed over', async () => {
  const tpm = new FakeTpm();
  const certificate = (fill: number) => Buffer.concat([Buffer.of(0x30, 0x82, 0, 2), Buffer.alloc(2, fill)]);
  tpm.nv.set(0x01c00100, certificate(3));
  tpm.nv.set(0x01c00016, Buffer.concat([certificate(2), Buffer.alloc(9)]));
  tpm.nv.set(0x01c00002, certificate(1));
  tpm.nv.set(0x01c00003, Buffer.from('a template'));
  tpm.nv.set(0x01c00004, Buffer.of(0x30, 0x82, 0xff, 0xff));
  tpm.nv.set(0x01800001, certificate(9));
  assert.deepEqual(await readEkCertificates(tpm.open(), EK_PUBLIC), [certificate(1), certificate(2), certificate(3)]);
  for (let index = 0x01c00010; index < 0x01c00030; index += 1) tpm.nv.set(index, certificate(5));
  assert.equal((await readEkCertificates(tpm.open(), EK_PUBLIC)).length, 8);
});

test('a chain is read across the borders of its indexes', async () => {
  const tpm = new FakeTpm();
  const certificate = (fill: number) => Buffer.concat([Buffer.of(0x30, 0x82, 0, 40), Buffer.alloc(40, fill)]);
  const stream = Buffer.concat([
    certificate(1),
    certificate(2),
    Buffer.alloc(3),
    certificate(3),
    Buffer.alloc(9, 0xff),
  ]);
  for (let at = 0; at * 30 < stream.length; at += 1)
    tpm.nv.set(0x01c00100 + at, stream.subarray(at * 30, at * 30 + 30));
  assert.deepEqual(await readEkCertificates(tpm.open(), EK_PUBLIC), [certificate(1), certificate(2), certificate(3)]);
});

async function createEnroller(
  state: FakeStateDirectory,
  keys: TpmKeyRing,
  clock: FakeClock,
  verifier = 'verifier:1',
  keyLifetimeMs?: number,
) {
  const enrolled: Enrolment[] = [];
  const failed: unknown[] = [];
  const listeners = {
    onEnrolled: (enrolment: Enrolment) => enrolled.push(enrolment),
    onRotationFailed: (error: unknown) => failed.push(error),
  };
  const lifetime = keyLifetimeMs === undefined ? {} : { keyLifetimeMs };
  const deps = { state, keys, clock, kubeNode: 'worker-1', tlsSpkiSha256: TLS, verifier, ...lifetime, ...listeners };
  return { enroller: await Enroller.open(deps), enrolled, failed };
}

const DAY_MS = 24 * 3_600_000;
const readKid = (keys: TpmKeyRing) => keys.use(({ identity }) => Promise.resolve(identity.kid));

/** An agent that is enrolled with keys that are due to be rotated. */
async function createAged() {
  const agent = createKeys();
  const kid = await readKid(agent.keys);
  const made = await createEnroller(agent.state, agent.keys, agent.clock, 'verifier:1', DAY_MS);
  await made.enroller.ensure(() => createPort(inOrder(kid)).port);
  await agent.clock.advance(DAY_MS);
  return { ...agent, ...made, kid };
}

test('keys that are old are rotated when their certificates are renewed, and both vouch for the new ones', async () => {
  const { keys, state, enroller, enrolled, failed, kid, tpm } = await createAged();
  const { kid: next } = await keys.prepareSuccessor();
  assert.notEqual(next, kid);
  assert.equal(await readKid(keys), kid, 'the present keys go on');
  const { port, sent } = createPort(inOrder(next));
  await enroller.ensure(() => port);
  assert.deepEqual(failed, []);
  const [, offered] = sent;
  assert.ok(offered?.case === 'keys');
  assert.ok(offered.value.rotationAttest.length > 0 && offered.value.rotationSignature.length > 0);
  assert.equal(await readKid(keys), next);
  assert.equal(keys.retiredKid, kid);
  assert.equal(enrolled.at(-1)?.kid, next);
  assert.ok(!state.files.has('keys.next.json') && state.files.has('keys.previous.json'));
  assert.ok(tpm.objects.size <= 2, 'nothing but the loaded keys stays in the TPM');
});

test('keys that a verifier refuses to rotate are renewed as they are', async () => {
  const { keys, enroller, failed, kid } = await createAged();
  const ports = [createPort([inOrder(kid)[1] ?? assert.fail()]), createPort(inOrder(kid))];
  await enroller.ensure(() => ports.shift()?.port ?? assert.fail());
  assert.equal(failed.length, 1);
  assert.equal(await readKid(keys), kid);
  assert.equal(enroller.renewalInMs > 0, true);
});

test('keys that were enrolled when the process ended take over at the next start', async () => {
  const { keys, state, clock, enroller, kid } = await createAged();
  const { kid: next } = await keys.prepareSuccessor();
  const kept = new Map(state.files);
  await enroller.ensure(() => createPort(inOrder(next)).port);
  const enrolment = state.files.get('enrolment.json') ?? assert.fail();
  for (const [name, content] of kept) state.files.set(name, content);
  state.files.set('enrolment.json', enrolment);
  assert.notEqual(kid, next);
  await createEnroller(state, keys, clock);
  assert.equal(await readKid(keys), next);
});

test('without a lifetime, or before its end, keys are never rotated', async () => {
  const { keys, state, clock } = createKeys();
  const kid = await readKid(keys);
  for (const lifetime of [undefined, 10 * DAY_MS]) {
    const { enroller, failed } = await createEnroller(state, keys, clock, 'verifier:1', lifetime);
    await enroller.ensure(() => createPort(inOrder(kid)).port);
    await clock.advance(DAY_MS);
    assert.deepEqual(failed, []);
    assert.equal(await readKid(keys), kid);
    assert.ok(!state.files.has('keys.next.json'));
  }
});

test('an agent enrols once, and another run of it not again', async () => {
  const { keys, state, clock } = createKeys();
  const { identity } = await keys.use((loaded) => Promise.resolve(loaded));
  const first = await createEnroller(state, keys, clock);
  const { port } = createPort(inOrder(identity.kid));
  await first.enroller.ensure(() => port);
  await first.enroller.ensure(() => assert.fail('no second enrolment'));
  assert.equal(port.isClosed, true);
  assert.equal(first.enrolled.length, 1);
  const second = await createEnroller(state, keys, clock);
  await second.enroller.ensure(() => assert.fail('no enrolment'));
  await clock.advance(12 * 3_600_000);
  assert.equal(second.enroller.renewalInMs, 0);
  const { port: renewal } = createPort(inOrder(identity.kid));
  await second.enroller.ensure(() => renewal);
  assert.equal(second.enrolled.length, 1);
});

test('another verifier, a damaged file and a verifier that forgot need a new enrolment', async () => {
  const { keys, state, clock } = createKeys();
  const { identity } = await keys.use((loaded) => Promise.resolve(loaded));
  const enrolOnce = async (enroller: Enroller) => {
    const { port, sent } = createPort(inOrder(identity.kid));
    await enroller.ensure(() => port);
    return sent.length === 3;
  };
  const { enroller } = await createEnroller(state, keys, clock);
  assert.equal(await enrolOnce(enroller), true);
  assert.equal(await enrolOnce(enroller), false);
  enroller.forget();
  assert.equal(await enrolOnce(enroller), true);
  assert.equal(await enrolOnce((await createEnroller(state, keys, clock, 'other:2')).enroller), true);
  state.files.set('enrolment.json', Buffer.from('{'));
  assert.equal(await enrolOnce((await createEnroller(state, keys, clock, 'other:2')).enroller), true);
});

test('an enrolment that is asked for while one is under way is that one', async () => {
  const { keys, state, clock } = createKeys();
  const kid = await readKid(keys);
  const { enroller, enrolled } = await createEnroller(state, keys, clock);
  const { port } = createPort(inOrder(kid));
  await Promise.all([enroller.ensure(() => port), enroller.ensure(() => assert.fail('no second enrolment'))]);
  assert.equal(enrolled.length, 1);
  enroller.forget();
  const { port: next } = createPort(inOrder(kid));
  await enroller.ensure(() => next);
  assert.equal(enrolled.length, 2);
});

test('an enrolment that fails leaves none behind and closes its stream', async () => {
  const { keys, state, clock } = createKeys();
  const { enroller } = await createEnroller(state, keys, clock);
  const { port } = createPort([]);
  await assert.rejects(
    enroller.ensure(() => port),
    /stream ended/,
  );
  assert.equal(port.isClosed, true);
  assert.deepEqual(enroller.certificates, []);
  assert.equal(state.files.has('enrolment.json'), false);
});

const enrolment: Enrolment = {
  verifier: 'verifier:1',
  kid: 'kid',
  tlsSpkiSha256: TLS,
  enrolledAtMs: 1_000,
  certificates: [Buffer.from('AK'), Buffer.from('key'), Buffer.from('issuer')],
  ekCertificates: [Buffer.from('EK')],
};

test('an enrolment file says the same after it was written and read, and damage is the own error', () => {
  const file = encodeEnrolment(enrolment);
  assert.deepEqual(parseEnrolment(file), enrolment);
  for (let size = 0; size < file.length - 1; size += 1) {
    assert.throws(() => parseEnrolment(file.subarray(0, size)), { code: 'ERR_AGENT_STATE' });
  }
  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const flipped = Buffer.from(file);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    try {
      parseEnrolment(flipped);
    } catch (error) {
      assert.ok(error instanceof AgentError && error.code === 'ERR_AGENT_STATE');
    }
  }
});

test('certificates that do not parse are renewed at once, none at all after half a day', () => {
  assert.equal(chooseRenewalTime(enrolment), 0);
  assert.equal(chooseRenewalTime({ ...enrolment, certificates: [] }), 1_000 + 12 * 3_600_000);
});
