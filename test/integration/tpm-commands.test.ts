import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { EK_TEMPLATES, ekTemplate, openTpm, type Tpm, type TpmObject } from 'tpm2-tss-node';
import { KEY_TEMPLATES } from '../support/key-templates.ts';
import { makeTestCredential } from '../support/make-credential.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

/** SHA-256 bank, PCRs 0–7 and 10. */
const SELECTION = Buffer.from('00000001000b03ff0400', 'hex');

function eccKey(publicArea: Buffer) {
  const x = publicArea.subarray(-66, -34);
  const y = publicArea.subarray(-32);
  const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

/** r ‖ s of a TPMT_SIGNATURE with ECDSA. */
function rawSignature(signature: Buffer): Buffer {
  const rSize = signature.readUInt16BE(4);
  const r = signature.subarray(6, 6 + rSize);
  const s = signature.subarray(8 + rSize);
  const pad = (value: Buffer) => Buffer.concat([Buffer.alloc(32 - value.length), value]);
  return Buffer.concat([pad(r), pad(s)]);
}

function verifies(publicArea: Buffer, data: Buffer, signature: Buffer): boolean {
  const key = { key: eccKey(publicArea), dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', data, key, rawSignature(signature));
}

describe('commands against a software TPM', { skip: missingSwtpm() ?? false }, () => {
  let swtpm: Swtpm;
  let tpm: Tpm;

  before(async () => {
    swtpm = await startSwtpm();
  });
  after(() => swtpm?.close());
  beforeEach(async () => {
    tpm = await openTpm({ tcti: swtpm.tcti, exclusive: true });
  });
  afterEach(() => tpm?.close());

  async function expectNothingLoaded(): Promise<void> {
    assert.deepEqual(await tpm.handles('transient'), []);
    assert.deepEqual(await tpm.handles('loadedSession'), []);
    assert.deepEqual(await tpm.handles('savedSession'), []);
  }

  async function loadAttestationKey(parent: TpmObject, authValue: Buffer, parentPolicy?: 'endorsement') {
    const made = await tpm.create({ parent, template: KEY_TEMPLATES.attestation, authValue, parentPolicy });
    const key = await tpm.load({ parent, private: made.private, public: made.public, parentPolicy });
    return { key, public: made.public };
  }

  for (const { id, needsPolicy, persistentHandle } of EK_TEMPLATES) {
    test(`EK template ${id}: a child of it proves itself by a credential`, async () => {
      const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate(id) });
      const policy = needsPolicy ? ('endorsement' as const) : undefined;
      const keyAuth = randomBytes(32);
      const { key } = await loadAttestationKey(ek.object, keyAuth, policy);
      const secret = randomBytes(32);
      const activation = { key, keyAuth, ek: ek.object, ekPolicy: policy };
      const activated = await tpm.activateCredential({
        ...activation,
        ...makeTestCredential(ek.public, key.name, secret),
      });
      assert.deepEqual(activated, secret);
      const forAnother = makeTestCredential(ek.public, ek.name, secret);
      await assert.rejects(tpm.activateCredential({ ...activation, ...forAnother }), {
        code: 'ERR_TPM',
        name: 'TPM_RC_INTEGRITY',
        command: 'TPM2_ActivateCredential',
      });
      const good = makeTestCredential(ek.public, key.name, secret);
      await assert.rejects(tpm.activateCredential({ ...activation, ...good, keyAuth: randomBytes(32) }), {
        name: 'TPM_RC_BAD_AUTH',
        target: 'session',
        index: 1,
      });
      if ((await tpm.handles('persistent')).includes(persistentHandle)) {
        const persistent = await tpm.fromPersistent(persistentHandle);
        assert.deepEqual(persistent.name, ek.name, 'the key that the TPM was provisioned with');
        await tpm.flush(persistent);
      }
      await tpm.flush(key);
      await tpm.flush(ek.object);
      await expectNothingLoaded();
    });
  }

  test("'endorsement' is harmless on a high-range EK", async () => {
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('H-2') });
    const { key } = await loadAttestationKey(ek.object, Buffer.alloc(0), 'endorsement');
    await tpm.flush(key);
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('a low-range EK without its policy is refused, and nothing stays loaded', async () => {
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-2') });
    await assert.rejects(tpm.create({ parent: ek.object, template: KEY_TEMPLATES.attestation }), {
      code: 'ERR_TPM',
      name: 'TPM_RC_AUTH_UNAVAILABLE',
    });
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('EK certificates are found by probing and carry the key of their template', async () => {
    const indexes = await tpm.nvIndexes();
    const present = EK_TEMPLATES.filter(({ certificateIndex }) => indexes.includes(certificateIndex));
    assert.deepEqual(
      present.map(({ id }) => id),
      ['L-1', 'H-3'],
    );
    for (const { id, certificateIndex } of present) {
      const certificate = new X509Certificate(await tpm.nvRead(certificateIndex));
      const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate(id) });
      const jwk = certificate.publicKey.export({ format: 'jwk' });
      const unique = Buffer.from(jwk.n ?? jwk.x ?? '', 'base64url');
      assert.ok(ek.public.includes(unique), id);
      await tpm.flush(ek.object);
      const [issuer] = await swtpm.caCertificates();
      assert.ok(
        certificate.verify(new X509Certificate(issuer ?? '').publicKey),
        `${id} is signed by the launcher's CA`,
      );
    }
  });

  test('an NV index that does not exist is refused by name', async () => {
    await assert.rejects(tpm.nvRead(0x01c0000a), {
      code: 'ERR_TPM',
      rc: 0x18b,
      layer: 'tpm',
      name: 'TPM_RC_HANDLE',
      target: 'handle',
      index: 1,
      retryable: false,
      command: 'TPM2_NV_ReadPublic',
    });
  });

  test('a quote verifies with node:crypto and with tpm2_checkquote', async () => {
    const authValue = randomBytes(32);
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    const { key, public: publicArea } = await loadAttestationKey(ek.object, authValue, 'endorsement');
    const qualifyingData = randomBytes(32);
    const { attest, signature } = await tpm.quote({ key, authValue, qualifyingData, selection: SELECTION });
    assert.ok(verifies(publicArea, attest, signature));
    assert.ok(attest.includes(qualifyingData));
    const { qualifiedName } = await tpm.readPublic(key);
    assert.ok(attest.includes(qualifiedName));

    const directory = await mkdtemp(join(tmpdir(), 'hf-quote-'));
    const file = (name: string) => join(directory, name);
    await writeFile(file('ak.pem'), eccKey(publicArea).export({ type: 'spki', format: 'pem' }));
    await writeFile(file('attest'), attest);
    await writeFile(file('signature'), signature);
    const check = (nonce: Buffer) => {
      const files = ['-u', file('ak.pem'), '-m', file('attest'), '-s', file('signature')];
      execFileSync('tpm2_checkquote', [...files, '-q', nonce.toString('hex'), '-g', 'sha256'], { stdio: 'pipe' });
    };
    check(qualifyingData);
    assert.throws(() => check(randomBytes(32)));
    await rm(directory, { recursive: true });
    await tpm.flush(key);
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('a quote for each selection, as single quotes would be', async () => {
    const authValue = randomBytes(32);
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
    const { key, public: publicArea } = await loadAttestationKey(ek.object, authValue, 'endorsement');
    const request = { key, authValue, qualifyingData: randomBytes(32), authorization: 'password' } as const;
    const selections = [SELECTION, Buffer.from('00000001000b03000400', 'hex')];
    const attested = await tpm.quoteEach({ ...request, selections });
    assert.equal(attested.length, 2);
    for (const [at, { attest, signature }] of attested.entries()) {
      assert.ok(verifies(publicArea, attest, signature));
      assert.ok(attest.includes(request.qualifyingData));
      assert.ok(attest.includes(selections[at] ?? assert.fail()));
    }
    const unknownBank = Buffer.from('00000001ffff03000400', 'hex');
    await assert.rejects(tpm.quoteEach({ ...request, selections: [SELECTION, unknownBank] }), { code: 'ERR_TPM' });
    const wrong = { ...request, authValue: randomBytes(32), selections };
    await assert.rejects(tpm.quoteEach(wrong), { name: 'TPM_RC_BAD_AUTH' });
    await tpm.flush(key);
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('a wrong authorization value is refused, and nothing stays loaded', async () => {
    const owner = await tpm.createPrimary({
      hierarchy: 'owner',
      template: KEY_TEMPLATES.attestation,
      authValue: randomBytes(32),
    });
    const request = { key: owner.object, qualifyingData: randomBytes(8), selection: SELECTION };
    for (const authValue of [randomBytes(32), Buffer.alloc(0)]) {
      await assert.rejects(tpm.quote({ ...request, authValue }), { name: 'TPM_RC_BAD_AUTH', target: 'session' });
      const asPassword = { ...request, authValue, authorization: 'password' } as const;
      await assert.rejects(tpm.quote(asPassword), { name: 'TPM_RC_BAD_AUTH', target: 'session' });
    }
    await tpm.flush(owner.object);
    await expectNothingLoaded();
  });

  test('a key certifies another one, and both authorization values are proven', async () => {
    const [signerAuth, objectAuth] = [randomBytes(32), randomBytes(32)];
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('H-2') });
    const { key: signer, public: signerPublic } = await loadAttestationKey(ek.object, signerAuth);
    const made = await tpm.create({ parent: ek.object, template: KEY_TEMPLATES.signing, authValue: objectAuth });
    await tpm.flush(ek.object);
    const parent = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('H-2') });
    const object = await tpm.load({ parent: parent.object, private: made.private, public: made.public });
    const qualifyingData = randomBytes(32);
    const request = { object, objectAuth, signer, signerAuth, qualifyingData };
    const { attest, signature } = await tpm.certify(request);
    assert.ok(verifies(signerPublic, attest, signature));
    assert.ok(attest.includes(object.name));
    await assert.rejects(tpm.certify({ ...request, objectAuth: randomBytes(32) }), { index: 1, target: 'session' });
    await assert.rejects(tpm.certify({ ...request, signerAuth: randomBytes(32) }), { index: 2, target: 'session' });

    const digest = createHash('sha256').update('signed').digest();
    const signed = await tpm.sign({ key: object, authValue: objectAuth, digest });
    assert.ok(verifies(made.public, Buffer.from('signed'), signed.signature));
    const quick = await tpm.certify({ ...request, authorization: 'password' });
    assert.ok(verifies(signerPublic, quick.attest, quick.signature));
    const again = await tpm.sign({ key: object, authValue: objectAuth, authorization: 'password', digest });
    assert.ok(verifies(made.public, Buffer.from('signed'), again.signature));
    for (const loaded of [object, parent.object, signer]) await tpm.flush(loaded);
    await expectNothingLoaded();
  });

  test('a restricted key signs only what the TPM has hashed itself', async () => {
    const key = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
    const data = Buffer.from('hashed by the TPM');
    const { digest, ticket } = await tpm.hash({ algorithm: 'sha256', data, hierarchy: 'owner' });
    assert.deepEqual(digest, createHash('sha256').update(data).digest());
    const { signature } = await tpm.sign({ key: key.object, digest, ticket });
    assert.ok(verifies(key.public, data, signature));
    await assert.rejects(tpm.sign({ key: key.object, digest }), {
      name: 'TPM_RC_TICKET',
      target: 'parameter',
      index: 3,
    });
    await tpm.flush(key.object);
  });

  test('an RSA key quotes too', async () => {
    const key = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.rsaAttestation });
    const { attest, signature } = await tpm.quote({
      key: key.object,
      qualifyingData: Buffer.alloc(0),
      selection: SELECTION,
    });
    const n = key.public.subarray(-256).toString('base64url');
    const rsa = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
    assert.ok(verify('sha256', attest, rsa, signature.subarray(6)));
    await tpm.flush(key.object);
  });

  test('an object is persisted, used through its handle, and evicted', async () => {
    const handle = 0x81008001;
    const made = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
    const persistent = await tpm.evictControl({ hierarchy: 'owner', object: made.object, handle });
    assert.ok(persistent);
    assert.deepEqual(persistent.name, made.name);
    await tpm.flush(made.object);
    assert.ok((await tpm.handles('persistent')).includes(handle));
    await tpm.quote({ key: persistent, qualifyingData: Buffer.alloc(0), selection: SELECTION });
    assert.equal(await tpm.evictControl({ hierarchy: 'owner', object: persistent, handle }), undefined);
    assert.ok(!(await tpm.handles('persistent')).includes(handle));
    assert.equal(persistent.flushed, true);
    await expectNothingLoaded();
  });

  test('PCRs are read and extended', async () => {
    const pcr16 = Buffer.from('00000001000b03000001', 'hex');
    const before16 = await tpm.pcrRead(pcr16);
    const event = createHash('sha256').update('event').digest();
    await tpm.pcrExtend(16, Buffer.concat([Buffer.from('00000001000b', 'hex'), event]));
    const after16 = await tpm.pcrRead(pcr16);
    const expected = createHash('sha256')
      .update(before16.digests[0] ?? Buffer.alloc(0))
      .update(event)
      .digest();
    assert.deepEqual(after16.digests, [expected]);
    assert.deepEqual(after16.selection, pcr16);
    assert.ok(after16.updateCounter >= before16.updateCounter);
  });

  test('capabilities and the clock come as wire format', async () => {
    const { data, moreData } = await tpm.getCapability({ capability: 6, property: 0x105, count: 1 });
    assert.deepEqual(data.subarray(0, 12), Buffer.from('000000060000000100000105', 'hex'));
    assert.equal(moreData, true);
    // Time, clock, resetCount, restartCount, safe.
    assert.equal((await tpm.readClock()).length, 25);
  });

  test('a policy session of one’s own authorizes a low-range EK', async () => {
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-2') });
    const session = await tpm.startAuthSession({ kind: 'policy', saltKey: ek.object });
    await tpm.policySecret({ session, hierarchy: 'endorsement' });
    assert.deepEqual(await tpm.policyDigest(session), ekTemplate('L-2').subarray(10, 42));
    const made = await tpm.create({
      parent: ek.object,
      template: KEY_TEMPLATES.attestation,
      authValue: randomBytes(16),
      parentPolicy: session,
    });
    assert.ok(made.private.length > 0);
    await tpm.flush(session);
    await tpm.flush(session);
    await assert.rejects(tpm.policyDigest(session), { code: 'ERR_TPM_CLOSED' });
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('random bytes come in any number, plain, salted and over a session', async () => {
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('H-3') });
    const session = await tpm.startAuthSession({ kind: 'hmac', saltKey: ek.object });
    const seen = new Set<string>();
    for (const options of [{}, { saltKey: ek.object }, { session }, { session }]) {
      for (const bytes of [1, 32, 33, 1024]) {
        const random = await tpm.getRandom(bytes, options);
        assert.equal(random.length, bytes);
        if (bytes > 1) seen.add(random.toString('hex'));
      }
    }
    assert.equal(seen.size, 12);
    await tpm.flush(session);
    await tpm.flush(ek.object);
    await expectNothingLoaded();
  });

  test('malformed structures are refused by the marshaller, each truncation and trailing byte', async () => {
    const template = KEY_TEMPLATES.attestation;
    for (let length = 1; length < template.length; length++) {
      const cut = template.subarray(0, length);
      await assert.rejects(tpm.createPrimary({ hierarchy: 'owner', template: cut }), { code: 'ERR_TPM', layer: 'mu' });
    }
    const longer = Buffer.concat([template, Buffer.of(0)]);
    await assert.rejects(tpm.createPrimary({ hierarchy: 'owner', template: longer }), { name: 'TSS2_RC_BAD_SIZE' });
    await assert.rejects(tpm.pcrRead(Buffer.concat([SELECTION, Buffer.of(0)])), { layer: 'mu' });
    await assert.rejects(tpm.pcrRead(Buffer.from('ffffffff', 'hex')), { code: 'ERR_TPM' });
    assert.equal(tpm.state, 'open');
    await expectNothingLoaded();
  });

  test('random bytes as structures never break the context', async () => {
    for (let round = 0; round < 200; round++) {
      const garbage = randomBytes(1 + (round % 90));
      await assert.rejects(tpm.createPrimary({ hierarchy: 'null', template: garbage }), { code: 'ERR_TPM' });
      await assert.rejects(tpm.pcrExtend(16, garbage), { code: 'ERR_TPM' });
    }
    assert.equal((await tpm.getRandom(4)).length, 4);
    await expectNothingLoaded();
  });

  test('200 quotes at once are all answered, in order, while the event loop stays free', async () => {
    const key = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 1);
    const quotes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const qualifyingData = Buffer.from(`quote ${index}`);
        return tpm.quote({ key: key.object, qualifyingData, selection: SELECTION });
      }),
    );
    clearInterval(ticker);
    for (const [index, { attest }] of quotes.entries()) assert.ok(attest.includes(`quote ${index}`));
    assert.ok(ticks > 20, `${ticks} ticks`);
    await tpm.flush(key.object);
    await expectNothingLoaded();
  });

  test('a TPM over TCP is reached too', async () => {
    const other = await startSwtpm({ transport: 'tcp', ekCertificates: false });
    try {
      await using remote = await openTpm({ tcti: other.tcti });
      assert.equal((await remote.getRandom(4)).length, 4);
      const foreign = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
      await assert.rejects(remote.readPublic(foreign.object), { name: 'TypeError' });
      await tpm.flush(foreign.object);
    } finally {
      await other.close();
    }
  });
});
