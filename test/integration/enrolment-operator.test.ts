import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeAkTemplate, encodeSigningTemplate } from '@holdfast/evidence';
import { callUnary, type Receipt, type Result, ResultService } from '@holdfast/proto';
import { createClaimsContent } from '../support/claims-fixture.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { createKey } from '../support/software-tpm.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, KUBE_NODE, type VerifierWorld } from '../support/verifier-world.ts';

let world: VerifierWorld;
let agent: DialledClient;
let operator: DialledClient;
let attester: SoftwareAttester;
const { acknowledgeIncident, removeKubeNode, getKubeNode, listKubeNodes } = ResultService.method;

before(async () => {
  world = await createVerifierWorld();
  agent = await world.dial('agent', ['agent']);
  operator = await world.dial('operator', ['operator']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
});
after(async () => await world.close());

const makeRound = (nonce: string) => attester.makeRound(nonce, createClaimsContent(KUBE_NODE, []));

async function sendRound(): Promise<Receipt> {
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const round = makeRound(nonce);
  const receipt = await stream.send(round);
  if (receipt.code === '') attester.advance(round);
  stream.close();
  return receipt;
}

async function readCodes(): Promise<string[]> {
  const { result } = await callUnary(operator.client, getKubeNode, { kubeNode: KUBE_NODE });
  return (result ?? assert.fail('no result')).findings.map(({ code }: Result['findings'][number]) => code);
}

async function waitUntilGone(code: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (!(await readCodes()).includes(code)) return;
    await sleep(50);
  }
  assert.fail(`${code} stays`);
}

const acknowledge = async (code: string, changes: { kubeNode?: string; reason?: string } = {}) =>
  await callUnary(operator.client, acknowledgeIncident, { kubeNode: KUBE_NODE, code, reason: 'a test', ...changes });

test('a gap stays until an operator acknowledges it, and later ones are told again', async () => {
  await sendRound();
  for (const count of [1, 2]) {
    attester.chain = Buffer.alloc(16, count).toString('base64url');
    [attester.seq, attester.prev] = [0, null];
    await sendRound();
    assert.ok((await readCodes()).includes('CHAIN_GAP'));
    const { incident } = await acknowledge('CHAIN_GAP');
    assert.equal(incident?.count, 1);
    await waitUntilGone('CHAIN_GAP');
    await sendRound();
    assert.ok(!(await readCodes()).includes('CHAIN_GAP'));
  }
});

test('a rolled-back TPM is refused until an operator acknowledges it, and then begins anew', async () => {
  const { clock } = world.tpm;
  world.tpm.clock = { ...clock, resetCount: clock.resetCount - 3 };
  assert.equal((await sendRound()).code, 'ERR_VERIFIER_TPM_ROLLBACK');
  assert.equal((await sendRound()).code, 'ERR_VERIFIER_TPM_ROLLBACK');
  const { incident } = await acknowledge('TPM_ROLLBACK');
  assert.equal(incident?.count, 2);
  assert.equal((await sendRound()).code, '');
  await waitUntilGone('TPM_ROLLBACK');
  world.tpm.clock = { ...world.tpm.clock, resetCount: clock.resetCount - 4 };
  assert.equal((await sendRound()).code, 'ERR_VERIFIER_TPM_ROLLBACK');
  await acknowledge('TPM_ROLLBACK');
  assert.equal((await sendRound()).code, '');
});

test('an incident survives a restart, and so does its end', async () => {
  attester.chain = Buffer.alloc(16, 9).toString('base64url');
  [attester.seq, attester.prev] = [0, null];
  await sendRound();
  const reopen = async () => {
    await world.restart();
    agent = await world.dial('agent', ['agent']);
    operator = await world.dial('operator', ['operator']);
    const next = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
    attester = Object.assign(next, { chain: attester.chain, seq: attester.seq, prev: attester.prev });
    await sendRound();
  };
  await reopen();
  assert.ok((await readCodes()).includes('CHAIN_GAP'));
  await acknowledge('CHAIN_GAP');
  await reopen();
  assert.ok(!(await readCodes()).includes('CHAIN_GAP'));
});

test('nobody but an operator, with a reason, about something that is there, changes anything', async () => {
  for (const role of ['responder', 'auditor', 'agent', 'verifier', 'builder'] as const) {
    const { client } = await world.dial(role, [role]);
    const request = { kubeNode: KUBE_NODE, code: 'CHAIN_GAP', reason: 'x' };
    await assert.rejects(callUnary(client, acknowledgeIncident, request), /ERR_VERIFIER_ROLE/);
    await assert.rejects(callUnary(client, removeKubeNode, request), /ERR_VERIFIER_ROLE/);
  }
  await assert.rejects(acknowledge('CHAIN_GAP'), /ERR_VERIFIER_NOT_FOUND/);
  await assert.rejects(acknowledge('EK_NOT_ENDORSED'), /ERR_VERIFIER_NOT_FOUND/);
  await assert.rejects(acknowledge('CHAIN_GAP', { kubeNode: 'worker-9' }), /ERR_VERIFIER_NOT_FOUND/);
  for (const reason of ['', '  ', 'x'.repeat(501)]) {
    await assert.rejects(acknowledge('CHAIN_GAP', { reason }), /ERR_VERIFIER_MESSAGE/);
    const removal = callUnary(operator.client, removeKubeNode, { kubeNode: KUBE_NODE, reason });
    await assert.rejects(removal, /ERR_VERIFIER_MESSAGE/);
  }
});

/** New keys in the TPM, with the old AK's word for the new one or without it. */
async function replaceKeys(isRotation: boolean): Promise<void> {
  const { ak } = world.tpm;
  world.tpm.ak = createKey(encodeAkTemplate());
  world.tpm.signing = createKey(encodeSigningTemplate());
  await enrolSoftware(agent, world.tpm, KUBE_NODE, {
    keys: (fields, nonce) => {
      if (!isRotation) return fields;
      const { attest, signature } = world.tpm.certifyKey(world.tpm.ak, nonce, ak);
      return { ...fields, rotationAttest: attest, rotationSignature: signature };
    },
  });
}

test('evidence that was on its way when its keys were rotated still counts, and nothing is reported', async () => {
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const old = makeRound(nonce);
  await replaceKeys(true);
  assert.equal((await stream.send(old)).code, '');
  attester.advance(old);
  stream.close();
  assert.equal((await sendRound()).code, '');
  const codes = await readCodes();
  for (const code of ['AK_REPLACED', 'CHAIN_GAP', 'BOOT_SESSION_NEW']) assert.ok(!codes.includes(code), code);
  world.tpm.clock = { ...world.tpm.clock, resetCount: world.tpm.clock.resetCount - 1 };
  assert.equal((await sendRound()).code, 'ERR_VERIFIER_TPM_ROLLBACK', 'counters go over to the new AK');
  world.tpm.clock = { ...world.tpm.clock, resetCount: world.tpm.clock.resetCount + 1 };
  await acknowledge('TPM_ROLLBACK');
});

test('keys that were replaced without the word of the old ones are dead at once, and that is reported', async () => {
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const old = makeRound(nonce);
  await replaceKeys(false);
  assert.equal((await stream.send(old)).code, 'ERR_EVIDENCE_KEY');
  stream.close();
  assert.equal((await sendRound()).code, '');
  assert.ok((await readCodes()).includes('AK_REPLACED'));
  await acknowledge('AK_REPLACED');
  await waitUntilGone('AK_REPLACED');
});

const CLI = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url));

/** Not synchronous: the verifier runs in this process. */
async function runCli(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...args], { timeout: 30_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test('the commands say what they did, and why they did nothing', async () => {
  const files = await world.ca.issueFiles(join(world.directory, 'cli'), 'op', {
    commonName: 'op',
    roles: ['operator'],
    hosts: [],
  });
  const config = join(world.directory, 'config.json');
  await writeFile(config, JSON.stringify({ verifier: { address: world.verifier.listenAddress }, tls: files }));
  const run = (...args: string[]) => runCli(['nodes', ...args, '--config', config, '--json']);
  assert.equal((await run('ack', KUBE_NODE, 'CHAIN_GAP')).code, 2);
  assert.equal((await run('ack', KUBE_NODE, '--reason', 'x')).code, 2);
  const none = await run('ack', KUBE_NODE, 'CHAIN_GAP', '--reason', 'x');
  assert.equal(none.code, 3);
  assert.match(none.stderr, /no open incident of this code/);
  await replaceKeys(false);
  const done = await run('ack', KUBE_NODE, 'AK_REPLACED', '--reason', 'mainboard');
  assert.equal(done.code, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).incidents[0].code, 'AK_REPLACED');
  const removed = await run('remove', KUBE_NODE, '--reason', 'gone');
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal(JSON.parse(removed.stdout).ueid, world.tpm.ueid);
  assert.deepEqual((await callUnary(operator.client, listKubeNodes, {})).kubeNodes, []);
  assert.equal((await run('remove', KUBE_NODE, '--reason', 'gone')).code, 3);
});

test('a removed kube node is forgotten with its keys, and may enrol as if for the first time', async () => {
  await assert.rejects(sendRound(), /ERR_VERIFIER_NOT_ENROLLED/);
  world.tpm.ak = createKey(encodeAkTemplate());
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  assert.equal((await sendRound()).code, '');
  assert.ok(!(await readCodes()).includes('AK_REPLACED'));
});
