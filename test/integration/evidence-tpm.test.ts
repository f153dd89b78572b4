import assert from 'node:assert/strict';
import { createHash, randomBytes, verify } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import {
  assembleToken,
  checkAkPublic,
  checkSigningPublic,
  computeAkQualifiedName,
  computeKid,
  computeName,
  computeQualifyingData,
  computeUeid,
  encodeAkTemplate,
  encodeHeader,
  encodePayload,
  encodeSigningTemplate,
  encodeSubmoduleDigest,
  exportSigningJwk,
  makeCredential,
  parsePublic,
  parseSignature,
  parseToken,
  publicToKeyObject,
  QUOTE_SELECTIONS,
  type TokenClaims,
  type TokenQuote,
  toRawSignature,
  verifyCertify,
  verifyToken,
} from '@holdfast/evidence';
import { EK_TEMPLATES, ekTemplate, openTpm, type Tpm, type TpmObject } from 'tpm2-tss-node';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

interface Machine {
  readonly ek: { object: TpmObject; public: Buffer };
  readonly ak: { key: TpmObject; public: Buffer };
  readonly signing: { key: TpmObject; public: Buffer };
  readonly auth: Buffer;
}

function createClaims(machine: Machine, resetCount: number): TokenClaims {
  const digest = encodeSubmoduleDigest(Buffer.from('{}'));
  const random = (bytes: number) => randomBytes(bytes).toString('base64url');
  return {
    eat_profile: '2.25.148018808497791279178755095034755802300',
    eat_nonce: random(32),
    iat: 1_790_000_000,
    jti: random(16),
    ueid: computeUeid(computeName(parsePublic(machine.ek.public))),
    bootcount: resetCount,
    bootseed: random(32),
    uptime: 1,
    swname: 'test',
    swversion: ['1'],
    cnf: { jwk: exportSigningJwk(publicToKeyObject(parsePublic(machine.signing.public))) },
    holdfast: {
      chain: random(16),
      seq: 0,
      prev: null,
      kubeNode: 'worker-1',
      agent: { version: '1', image: null },
      tls: 'ab'.repeat(32),
      pending: [],
      oldestScanMs: null,
      lost: [],
    },
    submods: { host: digest, boot: digest, ima: digest, kernel: digest, containers: digest },
  };
}

describe('the pure core against a software TPM', { skip: missingSwtpm() ?? false }, () => {
  let swtpm: Swtpm;
  let tpm: Tpm;

  before(async () => {
    swtpm = await startSwtpm({ ekCertificates: false });
  });
  after(() => swtpm?.close());
  beforeEach(async () => {
    tpm = await openTpm({ tcti: swtpm.tcti, exclusive: true });
  });
  afterEach(() => tpm?.close());

  async function createChild(parent: TpmObject, template: Buffer, authValue: Buffer, parentPolicy?: 'endorsement') {
    const made = await tpm.create({ parent, template, authValue, parentPolicy });
    const key = await tpm.load({ parent, private: made.private, public: made.public, parentPolicy });
    return { key, public: made.public };
  }

  async function createMachine(
    id: (typeof EK_TEMPLATES)[number]['id'],
    parentPolicy?: 'endorsement',
  ): Promise<Machine> {
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate(id) });
    const auth = randomBytes(32);
    const ak = await createChild(ek.object, encodeAkTemplate(), auth, parentPolicy);
    const signing = await createChild(ek.object, encodeSigningTemplate(), auth, parentPolicy);
    return { ek, ak, signing, auth };
  }

  for (const { id, needsPolicy } of EK_TEMPLATES) {
    test(`EK template ${id}: templates, credential, certification and a whole token`, async () => {
      const ekPolicy = needsPolicy ? ('endorsement' as const) : undefined;
      const machine = await createMachine(id, ekPolicy);
      const { ek, ak, signing, auth } = machine;
      const ekPublic = parsePublic(ek.public);
      const akPublic = parsePublic(ak.public);
      const signingPublic = parsePublic(signing.public);
      checkAkPublic(akPublic);
      checkSigningPublic(signingPublic);

      const secret = randomBytes(32);
      const credential = makeCredential({ ekPublic, name: computeName(akPublic), secret, random: randomBytes });
      const activation = { key: ak.key, keyAuth: auth, ek: ek.object, ekPolicy };
      assert.deepEqual(await tpm.activateCredential({ ...activation, ...credential }), secret);

      const nonce = randomBytes(32);
      const certified = await tpm.certify({
        object: signing.key,
        objectAuth: auth,
        signer: ak.key,
        signerAuth: auth,
        qualifyingData: nonce,
      });
      const ekName = computeName(ekPublic);
      verifyCertify(certified, {
        key: publicToKeyObject(akPublic),
        qualifyingData: nonce,
        name: computeName(signingPublic),
        qualifiedSigner: computeAkQualifiedName(ekName, ekPublic.nameAlgorithm, akPublic),
      });

      const compact = await signToken(machine);
      const signingKey = publicToKeyObject(signingPublic);
      const verified = verifyToken(parseToken(compact), { signingKey, akPublic: ak.public, ekName });
      assert.equal(verified.base, 'tpm');
      const [head = '', payload = '', signature = ''] = compact.split('.');
      const key = { key: signingKey, dsaEncoding: 'ieee-p1363' } as const;
      assert.ok(verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url')));
    });
  }

  async function signToken({ ak, signing, auth, ...machine }: Machine): Promise<string> {
    const resetCount = (await tpm.readClock()).readUInt32BE(16);
    const claims = createClaims({ ak, signing, auth, ...machine }, resetCount);
    const payload = encodePayload(claims);
    const quotes: TokenQuote[] = [];
    for (const selection of QUOTE_SELECTIONS) {
      const qualifyingData = computeQualifyingData(payload);
      const { attest, signature } = await tpm.quote({ key: ak.key, authValue: auth, qualifyingData, selection });
      quotes.push({
        ak: computeName(parsePublic(ak.public)).toString('base64url'),
        attest: attest.toString('base64url'),
        sig: signature.toString('base64url'),
        pcrs: {},
      });
    }
    const [first, second] = quotes;
    if (first === undefined || second === undefined) assert.fail('two quotes');
    const header = encodeHeader({ kid: computeKid(claims.cnf.jwk), tpm: [first, second] });
    const digest = createHash('sha256').update(`${header}.${payload}`).digest();
    const signed = await tpm.sign({ key: signing.key, authValue: auth, digest });
    return assembleToken({ header, payload, signature: toRawSignature(parseSignature(signed.signature)) });
  }
});
