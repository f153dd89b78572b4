import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { type AttesterMessage, AttesterMessageSchema, ResultSchema, type VerifierMessage } from '@holdfast/proto';
import { pino } from 'pino';
import { createClaimsContent, MANIFEST } from '../../../test/support/claims-fixture.ts';
import { createBareEvidence, createFullEvidence, SoftwareAttester } from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { createTrustKey, signSbom } from '../../../test/support/verifier-world.ts';
import { loadVerifierKeys, type VerifierKeys } from '../certificates/verifier-keys.ts';
import { parseVerifierConfig } from '../config/verifier-config.ts';
import { openStores, type Stores } from '../open-stores.ts';
import type { MessagePort } from '../server/message-port.ts';
import { loadTrust } from '../trust/load-trust.ts';
import type { Trust } from '../trust/trust.ts';
import { createVerifierCore, type VerifierCore } from '../verifier-core.ts';

const KUBE_NODE = 'worker-1';
const DAY_MS = 86_400_000;
const SOON_MS = 30_000;
const tpm = new SoftwareTpm();
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const content = createClaimsContent(KUBE_NODE, [{ id: 'c1' }]);
const directory = mkdtempSync(join(tmpdir(), 'hf-unchanged-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let keys: VerifierKeys;
let nowMs: number;
let trust: Trust;
let stores: Stores;
let core: VerifierCore;
let sbom: string;
let attester: Attester;

type Step = MessageInitShape<typeof AttesterMessageSchema>['message'];

/** Sends one bare token after another and waits for each receipt. */
class Attester implements MessagePort<AttesterMessage, VerifierMessage> {
  readonly peerSpki = 'ab'.repeat(32);
  readonly ended: Promise<void>;
  readonly #rounds = new SoftwareAttester(tpm, KUBE_NODE, this.peerSpki);
  readonly #waiting: Step[] = [];
  #nonce = '';
  #wake: (message: AttesterMessage | undefined) => void = () => undefined;
  #answer: (message: VerifierMessage['message']) => void = () => undefined;

  constructor() {
    this.#waiting.push({ case: 'hello', value: { kubeNode: KUBE_NODE, ueid: tpm.ueid, agentVersion: '0.1.0' } });
    this.ended = core.converse(this);
  }

  identify(): void {}

  async receive(): Promise<AttesterMessage | undefined> {
    const message = this.#waiting.shift();
    if (message !== undefined) return create(AttesterMessageSchema, { message });
    const { promise, resolve } = Promise.withResolvers<AttesterMessage | undefined>();
    this.#wake = resolve;
    return await promise;
  }

  async send({ message }: VerifierMessage): Promise<void> {
    if (message.case === 'challenge') this.#nonce = message.value.nonce;
    if (message.case === 'receipt') this.#nonce = message.value.next?.nonce ?? '';
    this.#answer(message);
  }

  /** Codes of the kube node and of its container in the result that stands after one more round. */
  async round(isFull = false): Promise<string[]> {
    while (this.#nonce === '') await new Promise((resolve) => setImmediate(resolve));
    const round = this.#rounds.makeRound(this.#nonce, content);
    this.#rounds.advance(round);
    const { promise, resolve } = Promise.withResolvers<VerifierMessage['message']>();
    this.#answer = resolve;
    const value = isFull ? createFullEvidence(round) : createBareEvidence(round.token);
    this.#wake(create(AttesterMessageSchema, { message: { case: 'evidence', value } }));
    const answer = await Promise.race([promise, this.ended]);
    if (answer?.case !== 'receipt') assert.fail('no receipt');
    assert.equal(answer.value.code, '', answer.value.detail);
    assert.equal(answer.value.fresh, true);
    await new Promise((settled) => setImmediate(settled));
    return listCodes();
  }

  close(): void {
    this.#wake(undefined);
  }
}

function listCodes(): string[] {
  const { findings, containers } = fromBinary(ResultSchema, stores.results.findByUeid(tpm.ueid)?.body ?? Buffer.of());
  return [...findings, ...containers.flatMap((container) => container.findings)].map(({ code }) => code);
}

function makeTrust(key: Record<string, unknown> = {}, changes: Record<string, unknown> = {}): Trust {
  const document = {
    format: 'holdfast-trust-v1',
    version: 1,
    environment: 'development',
    expires: new Date(nowMs + DAY_MS).toISOString(),
    keys: [createTrustKey('builder', signer.publicKey, key)],
    eks: [{ kubeNode: KUBE_NODE, ekName: tpm.ek.name.toString('hex') }],
    ekRoots: [],
    ...changes,
  };
  return loadTrust(Buffer.from(JSON.stringify(document)));
}

before(async () => {
  keys = await loadVerifierKeys(directory, 'v');
});

suite('rounds of which nothing changed', () => {
  beforeEach(async () => {
    nowMs = Date.now();
    trust = makeTrust();
    stores = openStores(':memory:');
    const [issuedAtMs, expiresAtMs] = [nowMs, nowMs + DAY_MS];
    const known = { ueid: tpm.ueid, label: KUBE_NODE, kid: tpm.kid, predecessors: [], issuedAtMs, expiresAtMs };
    const ek = { ekName: tpm.ek.name.toString('hex'), ekPublic: tpm.ek.public, ekCertificates: [] };
    stores.enrolment.saveNode({ ...known, ...ek, akPublic: tpm.ak.public, signingPublic: tpm.signing.public });
    const unused = join(directory, 'unused');
    const tls = { ca: unused, cert: unused, key: unused };
    const config = parseVerifierConfig({ listen: '127.0.0.1:0', stateDir: directory, tls, trustFile: unused });
    const source = { current: () => trust, refresh: async () => false };
    const log = pino({ level: 'silent' });
    core = createVerifierCore({ config, log, stores, trust: source, keys, now: () => nowMs, sharesCommits: true });
    const envelope = Buffer.from(signSbom({ key: signer.privateKey, keyId: 'builder', manifest: MANIFEST }));
    sbom = core.book.put(envelope).reference.digest;
    attester = new Attester();
    const codes = [await attester.round(true), await attester.round()];
    for (const found of codes) assert.ok(!found.includes('SBOM_MISSING') && !found.includes('TRUST_EXPIRED'));
  });

  afterEach(async () => {
    attester.close();
    await attester.ended.catch(() => undefined);
    await core.close();
    stores.database.close();
  });

  test('a round that says what the one before said stores no further result', async () => {
    const { evidenceId } = listEvidence();
    await attester.round();
    assert.equal(listEvidence().evidenceId, evidenceId);
  });

  test('a revoked SBOM counts for no further round', async () => {
    core.book.revoke(sbom, 'test');
    assert.ok((await attester.round()).includes('SBOM_MISSING'));
  });

  test('a revoked key of an SBOM counts for no further round, and for one again when it is no longer revoked', async () => {
    trust = makeTrust({ revokedAt: new Date(nowMs).toISOString() });
    assert.ok((await attester.round()).includes('SBOM_MISSING'));
    trust = makeTrust();
    assert.ok(!(await attester.round()).includes('SBOM_MISSING'));
  });

  test('a key of an SBOM that runs out counts for no further round', async () => {
    trust = makeTrust({ validUntil: new Date(nowMs + SOON_MS).toISOString() });
    assert.ok(!(await attester.round()).includes('SBOM_MISSING'));
    nowMs += SOON_MS;
    assert.ok((await attester.round()).includes('SBOM_MISSING'));
  });

  test('a trust file that runs out is told in the next round', async () => {
    trust = makeTrust({}, { expires: new Date(nowMs + SOON_MS).toISOString() });
    assert.ok(!(await attester.round()).includes('TRUST_EXPIRED'));
    nowMs += SOON_MS;
    assert.ok((await attester.round()).includes('TRUST_EXPIRED'));
  });

  test('an EK that is no longer pinned ends the conversation with the next round', async () => {
    trust = makeTrust({}, { eks: [] });
    await assert.rejects(attester.round(), { code: 'ERR_VERIFIER_EK_REVOKED' });
  });

  test('another quote of the boot PCRs is told in the next round, and so is that they are as before', async (t) => {
    t.after(() => tpm.pcrs.clear());
    tpm.pcrs.set(4, Buffer.alloc(32, 9));
    assert.ok((await attester.round()).includes('BOOT_LOG_MISMATCH'));
    tpm.pcrs.clear();
    assert.ok(!(await attester.round()).includes('BOOT_LOG_MISMATCH'));
  });

  function listEvidence(): { evidenceId: string } {
    return fromBinary(ResultSchema, stores.results.findByUeid(tpm.ueid)?.body ?? Buffer.of());
  }
});
