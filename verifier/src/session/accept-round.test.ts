import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AttesterMessage,
  AttesterMessageSchema,
  type Need,
  ResultSchema,
  type VerifierMessage,
} from '@holdfast/proto';
import { pino } from 'pino';
import { type ClaimsContent, createClaimsContent } from '../../../test/support/claims-fixture.ts';
import { createBareEvidence, SoftwareAttester } from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { loadVerifierKeys, type VerifierKeys } from '../certificates/verifier-keys.ts';
import { parseVerifierConfig } from '../config/verifier-config.ts';
import { openStores, type Stores } from '../open-stores.ts';
import type { MessagePort } from '../server/message-port.ts';
import { loadTrust } from '../trust/load-trust.ts';
import type { Trust } from '../trust/trust.ts';
import { createVerifierCore, type VerifierCore } from '../verifier-core.ts';
import { createAsk } from './ask-for-content.ts';

const KUBE_NODE = 'worker-1';
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const TLS_KEY = 'ab'.repeat(32);
/** Of `PRAGMA synchronous`. */
const [NORMAL, FULL] = [1, 2];
const tpm = new SoftwareTpm();
const content = createClaimsContent(KUBE_NODE, [{ id: 'c1' }]);
const directory = mkdtempSync(join(tmpdir(), 'hf-round-time-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let keys: VerifierKeys;
let nowMs: number;
let trust: Trust;
let stores: Stores;
let core: VerifierCore;

before(async () => {
  keys = await loadVerifierKeys(directory, 'v');
});

suite('a round that is accepted', () => {
  beforeEach(() => {
    nowMs = Date.now();
    trust = pin(true);
    stores = openStores(':memory:');
    enrol(nowMs + DAY_MS);
    core = createCore();
  });

  function createCore(settings: { maxRoundBytes?: number } = {}): VerifierCore {
    const unused = join(directory, 'unused');
    const tls = { ca: unused, cert: unused, key: unused };
    const fixed = { listen: '127.0.0.1:0', stateDir: directory, tls, trustFile: unused };
    const config = parseVerifierConfig({ ...fixed, ...settings });
    const source = { current: () => trust, refresh: async () => false };
    return createVerifierCore({
      config,
      log: pino({ level: 'silent' }),
      stores,
      trust: source,
      keys,
      now: () => nowMs,
    });
  }

  function enrol(expiresAtMs: number): void {
    stores.enrolment.saveNode({
      ueid: tpm.ueid,
      label: KUBE_NODE,
      ekName: tpm.ek.name.toString('hex'),
      ekPublic: tpm.ek.public,
      ekCertificates: [],
      akPublic: tpm.ak.public,
      signingPublic: tpm.signing.public,
      kid: tpm.kid,
      predecessors: [],
      issuedAtMs: nowMs,
      expiresAtMs,
    });
  }

  function pin(isPinned: boolean): Trust {
    const row = { kubeNode: KUBE_NODE, ekName: tpm.ek.name.toString('hex') };
    const fields = { format: 'holdfast-trust-v1', version: 1, environment: 'development', keys: [], ekRoots: [] };
    const expires = new Date(Date.now() + DAY_MS).toISOString();
    return loadTrust(Buffer.from(JSON.stringify({ ...fields, expires, eks: isPinned ? [row] : [] })));
  }

  type Step = MessageInitShape<typeof AttesterMessageSchema>['message'];
  type Receipt = (VerifierMessage['message'] & { case: 'receipt' })['value'];

  /** An Attester that sends bare tokens and gives what is asked for; `onNeed` is called each time before. */
  class Attester implements MessagePort<AttesterMessage, VerifierMessage> {
    readonly peerSpki = TLS_KEY;
    receipt: Receipt | undefined;
    needs = 0;
    readonly #steps: Step[] = [
      { case: 'hello', value: { kubeNode: KUBE_NODE, ueid: tpm.ueid, agentVersion: '0.1.0' } },
    ];
    readonly #rounds = new SoftwareAttester(tpm, KUBE_NODE, TLS_KEY);
    readonly #onNeed: () => void;
    readonly #content: ClaimsContent;
    readonly #eagerBytes: number;
    #left: number;

    constructor(onNeed: () => void, rounds = 1, given = content, eagerBytes = 0) {
      this.#onNeed = onNeed;
      this.#eagerBytes = eagerBytes;
      this.#left = rounds;
      this.#content = given;
    }

    identify(): void {}

    async receive(): Promise<AttesterMessage | undefined> {
      const message = this.#steps.shift();
      return message === undefined ? undefined : create(AttesterMessageSchema, { message });
    }

    async send({ message }: VerifierMessage): Promise<void> {
      if (message.case === 'receipt') this.receipt = message.value;
      const nonce = message.case === 'receipt' ? message.value.next?.nonce : undefined;
      this.#makeRound(message.case === 'challenge' ? message.value.nonce : nonce);
      if (message.case !== 'need') return;
      this.needs += 1;
      this.#onNeed();
      this.#steps.push({ case: 'supply', value: supply(message.value, this.#content) });
    }

    #makeRound(nonce: string | undefined): void {
      if (nonce === undefined || this.#left === 0) return;
      this.#left -= 1;
      const round = this.#rounds.makeRound(nonce, this.#content);
      this.#rounds.advance(round);
      // As agents do, what is small comes unasked where that was wished.
      const unasked = this.#content.blobs.filter(({ length }) => length <= this.#eagerBytes);
      const value = { ...createBareEvidence(round.token), blobs: unasked.map((bytes) => ({ content: bytes })) };
      this.#steps.push({ case: 'evidence', value });
    }
  }

  function supply({ evidenceId, digests }: Need, { sets, blobs }: ClaimsContent) {
    const asked = new Set(digests.map((digest) => Buffer.from(digest).toString('hex')));
    const known = [...Object.values(sets), ...blobs];
    return {
      evidenceId,
      blobs: known.filter((bytes) => asked.has(sha256(bytes))).map((bytes) => ({ content: bytes })),
    };
  }

  function sha256(bytes: Buffer): string {
    return createHash('sha256').update(bytes).digest('hex');
  }

  const readLastGood = () => stores.results.listNodes('', 10)[0]?.lastGoodAtMs;

  test('evidence is as old as its message, however long its contents take', async () => {
    const sentMs = nowMs;
    const attester = new Attester(() => {
      nowMs += 29_000;
    });
    await core.converse(attester);
    assert.equal(attester.receipt?.fresh, true, attester.receipt?.detail);
    assert.ok(attester.needs > 1);
    assert.equal(readLastGood(), sentMs);
  });

  test('an EK that is withdrawn while contents come in has no result', async () => {
    const attester = new Attester(() => {
      trust = pin(false);
    });
    await assert.rejects(core.converse(attester), { code: 'ERR_VERIFIER_EK_REVOKED' });
    assert.ok(attester.needs > 0);
    assert.equal(readLastGood(), null);
    assert.equal(stores.chain.findHead(tpm.ueid), undefined);
  });

  test('certificates that run out while contents come in have no result', async () => {
    enrol(nowMs + 1000);
    const attester = new Attester(() => {
      nowMs += 1000;
    });
    await assert.rejects(core.converse(attester), { code: 'ERR_VERIFIER_CERTIFICATE_EXPIRED' });
    assert.ok(attester.needs > 0);
    assert.equal(readLastGood(), null);
  });

  test('one deadline covers all that a round asks for, whatever its claims name', async () => {
    const timeoutsMs: number[] = [];
    const evidenceId = 'cd'.repeat(32);
    const value = { evidenceId: Buffer.from(evidenceId, 'hex'), blobs: [] };
    const port: MessagePort<AttesterMessage, VerifierMessage> = {
      peerSpki: TLS_KEY,
      identify: () => undefined,
      receive: async (timeoutMs) => {
        timeoutsMs.push(timeoutMs);
        return create(AttesterMessageSchema, { message: { case: 'supply', value } });
      },
      send: async () => {
        nowMs += 20_000;
      },
    };
    const ask = createAsk(port, { maxMessageBytes: 1024, now: () => nowMs });
    const missing = Array.from({ length: 1000 }, (_, at) => ({ digest: sha256(Buffer.of(at)), bytes: 1 << 30 }));
    await assert.rejects(ask.content(evidenceId, missing), { code: 'ERR_VERIFIER_DEADLINE' });
    assert.deepEqual(timeoutsMs, [30_000, 30_000, 30_000, 30_000, 20_000]);
  });

  test('a receipt for a change waits for the disk, one for a heartbeat does not', async () => {
    const levels: unknown[] = [];
    const chain = { ...stores.chain };
    Object.assign(stores.chain, {
      moveHead: (...args: Parameters<typeof chain.moveHead>) => {
        levels.push(stores.database.prepare('PRAGMA synchronous').get()?.['synchronous']);
        return chain.moveHead(...args);
      },
    });
    const attester = new Attester(() => undefined, 3);
    await core.converse(attester);
    assert.equal(attester.receipt?.fresh, true, attester.receipt?.detail);
    assert.deepEqual(levels, [FULL, NORMAL, NORMAL]);
  });

  /** A container whose drift document has about so many bytes. */
  function createDrifted(id: string, bytes: number) {
    const after = { mode: '644', uid: 0, gid: 0, size: 1 };
    const entry = { kind: 'added' as const, entryType: 'file' as const, reasons: ['newEntry'], after };
    const pathOf = (at: number) => `/opt/${id}/${String(at).padStart(6, '0')}/${'x'.repeat(3_800)}`;
    return {
      id,
      drift: { relevant: Array.from({ length: bytes / 4_000 }, (_, at) => ({ ...entry, path: pathOf(at) })) },
    };
  }

  /** Containers that miss content, by the newest result. */
  function listMissing(): string[] {
    const { containers } = fromBinary(ResultSchema, stores.results.findByUeid(tpm.ueid)?.body ?? Buffer.of());
    assert.equal(containers.length, 4);
    const missing = containers.filter(({ findings }) => findings.some(({ code }) => code === 'CLAIMS_MISSING'));
    return missing.map(({ id }) => id);
  }

  test('more content than a round may carry leaves only its own containers undecided, and comes with later rounds', async () => {
    core = createCore({ maxRoundBytes: 1024 ** 2 });
    const sizes = { small: 4_000, large: 700_000, other: 600_000, huge: 1_300_000 };
    const given = createClaimsContent(
      KUBE_NODE,
      Object.entries(sizes).map(([id, bytes]) => createDrifted(id, bytes)),
    );
    const missing: string[][] = [];
    for (let round = 1; round <= 3; round += 1) {
      const attester = new Attester(() => undefined, 1, given);
      await core.converse(attester);
      assert.equal(attester.receipt?.fresh, true, attester.receipt?.detail);
      missing.push(listMissing());
      nowMs += 2 * MINUTE_MS;
    }
    assert.deepEqual(missing, [['huge', 'large'], ['huge'], ['huge']]);
  });

  test('a kube node with other content in each round brings no more in two minutes than a round may carry', async () => {
    core = createCore({ maxRoundBytes: 1024 ** 2 });
    let bytes = 100_000;
    const bring = async (): Promise<string[]> => {
      bytes += 4_000;
      const drifted = ['a', 'b', 'c', 'd'].map((id, at) => createDrifted(id, bytes + 4_000 * at));
      const attester = new Attester(() => undefined, 1, createClaimsContent(KUBE_NODE, drifted));
      await core.converse(attester);
      assert.equal(attester.receipt?.fresh, true, attester.receipt?.detail);
      return listMissing();
    };
    assert.deepEqual([await bring(), await bring(), await bring()], [[], [], ['b', 'c', 'd']]);
    nowMs += MINUTE_MS / 2;
    assert.deepEqual(await bring(), ['c', 'd']);
  });

  test('containers with other content in each round keep out a neighbour for a moment, not for good', async () => {
    core = createCore({ maxRoundBytes: 1024 ** 2 });
    let bytes = 68_000;
    const bring = async (): Promise<string[]> => {
      bytes += 4_000;
      const restless = ['a', 'b', 'c'].map((id) => createDrifted(id, bytes));
      const drifted = [...restless, createDrifted('d', 160_000)];
      await core.converse(new Attester(() => undefined, 1, createClaimsContent(KUBE_NODE, drifted), 20_000));
      return listMissing();
    };
    const used = new Attester(() => undefined, 1, createClaimsContent(KUBE_NODE, [createDrifted('e', 780_000)]));
    await core.converse(used);
    const wasMissing: boolean[] = [];
    for (let round = 0; round < 5; round += 1) {
      wasMissing.push((await bring()).includes('d'));
      nowMs += 10_000;
    }
    assert.deepEqual(wasMissing, [true, true, true, false, false]);
  });
});
