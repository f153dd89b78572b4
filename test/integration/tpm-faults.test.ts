import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ekTemplate, type OpenTpmOptions, openTpm, type Tpm, TpmError } from 'tpm2-tss-node';
import { KEY_TEMPLATES } from '../support/key-templates.ts';
import { makeTestCredential } from '../support/make-credential.ts';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { responseOf, startTpmProxy, type TpmProxy } from '../support/tpm-proxy.ts';

const CC_GET_RANDOM = 0x17b;
const CC_QUOTE = 0x158;
const SELECTION = Buffer.from('00000001000b03ff0400', 'hex');

describe('a TPM that fails', { skip: missingSwtpm() ?? false }, () => {
  let swtpm: Swtpm;
  let proxy: TpmProxy;
  const open: Tpm[] = [];

  before(async () => {
    swtpm = await startSwtpm({ ekCertificates: false });
    proxy = await startTpmProxy(swtpm.socketPath);
  });
  after(async () => {
    await proxy?.close();
    await swtpm?.close();
  });
  afterEach(async () => {
    swtpm.signal('SIGCONT');
    proxy.setRules({});
    await Promise.all(open.splice(0).map((tpm) => tpm.close()));
  });

  async function connect(options: Partial<OpenTpmOptions> = {}): Promise<Tpm> {
    const tpm = await openTpm({ tcti: swtpm.tcti, exclusive: true, ...options });
    open.push(tpm);
    return tpm;
  }

  async function expectUsable(): Promise<void> {
    const tpm = await connect();
    assert.equal((await tpm.getRandom(8)).length, 8);
    assert.deepEqual(await tpm.handles('transient'), []);
    assert.deepEqual(await tpm.handles('loadedSession'), []);
  }

  test('killed in mid-command: everything is rejected, and a new context works after a restart', async () => {
    const tpm = await connect();
    const { object } = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.rsaAttestation });
    const quotes = Array.from({ length: 50 }, () =>
      tpm.quote({ key: object, qualifyingData: Buffer.alloc(8), selection: SELECTION }),
    );
    await quotes[2];
    const settled = Promise.allSettled(quotes);
    await swtpm.kill();
    const codes = (await settled).map((result) => {
      if (result.status === 'fulfilled') return 'done';
      assert.ok(result.reason instanceof TpmError);
      return result.reason.code;
    });
    const firstFailure = codes.findIndex((code) => code !== 'done');
    assert.ok(firstFailure >= 3 && firstFailure < 50);
    assert.equal(codes[firstFailure], 'ERR_TPM_TCTI');
    assert.ok(codes.slice(firstFailure + 1).every((code) => code === 'ERR_TPM_DEAD'));
    assert.equal(tpm.state, 'dead');
    await assert.rejects(tpm.getRandom(1), { code: 'ERR_TPM_DEAD' });
    await assert.rejects(openTpm({ tcti: swtpm.tcti }), {
      code: 'ERR_TPM_TCTI',
      layer: 'tcti',
      message: `no TPM can be reached at ${swtpm.tcti} (TSS2_RC_IO_ERROR)`,
    });
    await swtpm.restart();
    await expectUsable();
  });

  test('no device, and a TCTI whose library is missing, are named', async () => {
    await assert.rejects(openTpm({ tcti: 'device:/nonexistent' }), { message: /at device:\/nonexistent/ });
    // No simulator and, in Debian's tpm2-tss, no resource manager daemon: either way the sentence names what was tried.
    await assert.rejects(openTpm({ tcti: 'tabrmd:' }), { code: 'ERR_TPM_TCTI', message: /at tabrmd:/ });
  });

  test('stopped: commands are rejected at their deadline while file reads and timers go on', async () => {
    const contexts = await Promise.all(Array.from({ length: 6 }, () => connect({ deadlineMs: 400, exclusive: false })));
    swtpm.signal('SIGSTOP');
    await sleep(20);
    let worstDelayMs = 0;
    let last = performance.now();
    const ticker = setInterval(() => {
      worstDelayMs = Math.max(worstDelayMs, performance.now() - last);
      last = performance.now();
    }, 5);
    const started = performance.now();
    const hung = Promise.allSettled(contexts.flatMap((tpm) => [tpm.getRandom(8), tpm.readClock()]));
    // More hung contexts than libuv's pool has threads.
    for (let round = 0; round < 20; round++) await readFile(new URL(import.meta.url));
    assert.ok(performance.now() - started < 350, 'file reads do not wait for the TPM');
    for (const result of await hung) {
      assert.ok(result.status === 'rejected');
      assert.equal(result.reason.code, 'ERR_TPM_TIMEOUT');
    }
    const elapsedMs = performance.now() - started;
    clearInterval(ticker);
    assert.ok(elapsedMs > 350 && elapsedMs < 2000, `${elapsedMs} ms`);
    assert.ok(worstDelayMs < 500, `event loop stalled for ${worstDelayMs} ms`);
    await Promise.all(contexts.map((tpm) => tpm.close()));
    await assert.rejects(openTpm({ tcti: swtpm.tcti, deadlineMs: 100 }), { code: 'ERR_TPM_TIMEOUT' });
    swtpm.signal('SIGCONT');
    await expectUsable();
  });

  test('a thread that wakes after its deadline sends nothing more', async () => {
    const tpm = await connect({ tcti: proxy.tcti, keyDeadlineMs: 200 });
    swtpm.signal('SIGSTOP');
    await assert.rejects(
      tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation }).then(() => 1),
      {
        code: 'ERR_TPM_TIMEOUT',
      },
    );
    const sent = proxy.commands().length;
    swtpm.signal('SIGCONT');
    await sleep(200);
    assert.equal(proxy.commands().length, sent);
    await expectUsable();
  });

  test('out of sessions: the refusal is retryable, and the context lives on', async () => {
    const tpm = await connect();
    const sessions = [];
    for (let round = 0; round < 3; round++) sessions.push(await tpm.startAuthSession({ kind: 'hmac' }));
    await assert.rejects(tpm.startAuthSession({ kind: 'hmac' }), {
      code: 'ERR_TPM',
      name: 'TPM_RC_SESSION_MEMORY',
      retryable: true,
    });
    assert.equal((await tpm.getRandom(4)).length, 4);
    for (const session of sessions) await tpm.flush(session);
    await tpm.flush(await tpm.startAuthSession({ kind: 'hmac' }));
    await expectUsable();
  });

  test('out of object memory: the refusal is retryable, and closing frees what was loaded', async () => {
    const tpm = await connect();
    const make = () => tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
    for (let round = 0; round < 3; round++) await make();
    await assert.rejects(make(), { code: 'ERR_TPM', name: 'TPM_RC_OBJECT_MEMORY', retryable: true });
    await tpm.close();
    const next = await connect({ exclusive: false });
    assert.deepEqual(await next.handles('transient'), []);
  });

  test('what others left in a TPM that one owns is flushed on opening, and only then', async () => {
    const careless = await connect();
    await careless.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation });
    await careless.startAuthSession({ kind: 'hmac' });
    const polite = await connect({ exclusive: false });
    assert.equal((await polite.handles('transient')).length, 1);
    assert.equal((await polite.handles('loadedSession')).length, 1);
    const owner = await connect({ exclusive: true });
    assert.deepEqual(await owner.handles('transient'), []);
    assert.deepEqual(await owner.handles('loadedSession'), []);
  });

  for (const [name, rc] of [
    ['RETRY', 0x922],
    ['YIELDED', 0x908],
    ['TESTING', 0x90a],
  ] as const) {
    test(`TPM_RC_${name} is resubmitted until the TPM answers`, async () => {
      const tpm = await connect({ tcti: proxy.tcti });
      let refusals = 20;
      proxy.setRules({
        onCommand: (code) => (code === CC_GET_RANDOM && refusals-- > 0 ? responseOf(rc) : 'forward'),
      });
      assert.equal((await tpm.getRandom(8)).length, 8);
    });
  }

  test('a TPM that answers RETRY for ever is given up with a retryable error', async () => {
    const tpm = await connect({ tcti: proxy.tcti });
    const before = proxy.commands().length;
    proxy.setRules({ onCommand: () => responseOf(0x922) });
    await assert.rejects(tpm.getRandom(8), { code: 'ERR_TPM', name: 'TPM_RC_RETRY', retryable: true });
    const tries = proxy.commands().length - before;
    assert.ok(tries >= 9 && tries <= 100, `${tries} tries`);
    proxy.setRules({});
    assert.equal((await tpm.getRandom(8)).length, 8);
  });

  test('a connection that ends in mid-command ends the context', async () => {
    const tpm = await connect({ tcti: proxy.tcti, deadlineMs: 2000 });
    proxy.setRules({ onCommand: () => 'disconnect' });
    await assert.rejects(tpm.getRandom(8), { code: 'ERR_TPM_TCTI' });
    assert.equal(tpm.state, 'dead');
  });

  test('responses cut at any length are refused and end the context', async () => {
    for (let length = 10; length < 20; length++) {
      const tpm = await connect({ tcti: proxy.tcti, deadlineMs: 2000 });
      proxy.setRules({
        onResponse: (_code, response) => {
          const cut = Buffer.from(response.subarray(0, length));
          cut.writeUInt32BE(length, 2);
          return cut;
        },
      });
      await assert.rejects(tpm.getRandom(8), (error) => error instanceof TpmError && error.code !== 'ERR_TPM_TIMEOUT');
      proxy.setRules({});
      await tpm.close();
    }
  });

  test('random bytes as responses are refused by an error of ours', async () => {
    for (let round = 0; round < 60; round++) {
      const tpm = await connect({ tcti: proxy.tcti, deadlineMs: 2000 });
      proxy.setRules({
        onResponse: (_code, response) => {
          const garbage = randomBytes(10 + round * 3);
          // A believable header every second time, so that parsing gets further.
          if (round % 2 === 0) response.copy(garbage, 0, 0, 10);
          garbage.writeUInt32BE(garbage.length, 2);
          return garbage;
        },
      });
      await assert.rejects(
        tpm.getCapability({ capability: 0, property: 0, count: 64 }).then((good) => {
          // Bytes that happen to parse are no error of the binding.
          throw new TpmError({ code: 'ERR_TPM', command: 'x', message: `parsed ${good.data.length}` });
        }),
        TpmError,
      );
      proxy.setRules({});
      await tpm.close();
    }
  });

  test('a response changed on its way is found by its HMAC, and ends the context', async () => {
    const tpm = await connect({ tcti: proxy.tcti });
    const authValue = randomBytes(32);
    const key = await tpm.createPrimary({ hierarchy: 'owner', template: KEY_TEMPLATES.attestation, authValue });
    proxy.setRules({
      onResponse: (code, response) => {
        if (code !== CC_QUOTE) return 'forward';
        const changed = Buffer.from(response);
        changed[30] = (changed[30] ?? 0) ^ 1;
        return changed;
      },
    });
    const request = { key: key.object, authValue, qualifyingData: Buffer.alloc(8), selection: SELECTION };
    await assert.rejects(tpm.quote(request), { code: 'ERR_TPM_TCTI', name: 'TSS2_RC_RSP_AUTH_FAILED' });
    assert.equal(tpm.state, 'dead');
  });

  test('secrets never cross the bus in the clear', async () => {
    const tpm = await connect({ tcti: proxy.tcti });
    const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-2') });
    const authValue = randomBytes(32);
    const use = { parent: ek.object, parentPolicy: 'endorsement' } as const;
    const made = await tpm.create({ ...use, template: KEY_TEMPLATES.attestation, authValue });
    const key = await tpm.load({ ...use, private: made.private, public: made.public });
    await tpm.quote({ key, authValue, qualifyingData: Buffer.alloc(8), selection: SELECTION });
    const secret = randomBytes(32);
    const credential = makeTestCredential(ek.public, key.name, secret);
    const activation = { key, keyAuth: authValue, ek: ek.object, ekPolicy: 'endorsement' } as const;
    assert.deepEqual(await tpm.activateCredential({ ...activation, ...credential }), secret);
    const salted = await tpm.getRandom(32, { saltKey: ek.object });
    const plain = await tpm.getRandom(32);
    const traffic = proxy.traffic();
    assert.ok(traffic.includes(plain), 'the listener sees what is not encrypted');
    for (const hidden of [authValue, secret, salted]) assert.ok(!traffic.includes(hidden));
  });
});
