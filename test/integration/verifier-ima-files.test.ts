import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { AgentFilesClaims, DriftEntry } from '@holdfast/evidence';
import {
  AttestationStatus,
  callUnary,
  ReferenceService,
  type Result,
  ResultService,
  RoundOutcome,
} from '@holdfast/proto';
import { AGENT_PREDICATE_TYPE, signStatement } from '@holdfast/verifier';
import { encodeImaEntry, IMA_TEMPLATES, type ImaEntryOptions } from '../support/ima-list.ts';
import { listImaEnds, MeasuredMachine } from '../support/measured-machine.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import {
  createTrustKey,
  createVerifierWorld,
  type DialledClient,
  KUBE_NODE,
  type VerifierWorld,
} from '../support/verifier-world.ts';

const vectors = join(import.meta.dirname, '../vectors/measured-boot/plain-uki');
const BOOT_LOG = readFileSync(join(vectors, 'binary_bios_measurements'));
const COMMAND_LINE = readFileSync(join(vectors, 'cmdline'), 'utf8').trim();
const RECORDED = readFileSync(join(vectors, 'ima_quote'));
/** The first entry, which tells that the list is of this boot. */
const AGGREGATE = RECORDED.subarray(0, listImaEnds(RECORDED)[1]);

const hex = (digit: string) => digit.repeat(64);
const ROOT = '/opt/holdfast';
const BUILD = {
  'bin/node': hex('1'),
  'cli/src/main.js': hex('2'),
  'native/tpm.node': hex('3'),
  'agent/src/a.js': hex('4'),
};
const AGENT: AgentFilesClaims = {
  root: ROOT,
  executable: { path: `${ROOT}/bin/node`, sha256: hex('1') },
  main: { path: `${ROOT}/cli/src/main.js`, sha256: hex('2') },
  modules: [{ path: `${ROOT}/native/tpm.node`, sha256: hex('3') }],
};
const BUILD_ENTRIES = Object.entries(BUILD).map(([path, sha256]) => encodeImaEntry(`${ROOT}/${path}`, sha256));

const agentKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let world: VerifierWorld;
let agent: DialledClient;
let operator: DialledClient;
let builder: DialledClient;
let machine: MeasuredMachine;
let stream: AttestStream | undefined;

before(async () => {
  world = await createVerifierWorld({ listen: `127.0.0.1:${await findPort()}` });
  const keys = [createTrustKey('builder', world.sbomPublicKey)];
  keys.push(createTrustKey('agent-builder', agentKey.publicKey, { role: 'agent', scope: ['holdfast-agent'] }));
  await world.writeTrust({ keys });
  await world.restart();
  operator = await world.dial('operator', ['operator']);
  builder = await world.dial('builder', ['builder']);
  agent = await world.dial('agent', ['agent']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  machine = new MeasuredMachine(world.tpm, new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256));
});
after(async () => {
  stream?.close();
  await world.close();
});

beforeEach(() => {
  machine.tpm.clock.resetCount += 1;
  machine.tpm.clock.restartCount = 0;
  machine.isEager = false;
  machine.imaList = Buffer.alloc(0);
  machine.claims = { commandLine: COMMAND_LINE, agent: AGENT };
  machine.boot(BOOT_LOG);
  measure(AGGREGATE);
});

/** A port that is free now: the clients have to find the verifier again after a restart. */
async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : assert.fail();
}

function measure(...entries: Buffer[]): void {
  for (const entry of entries) machine.measure(entry);
  machine.imaList = Buffer.concat([machine.imaList, ...entries]);
}

async function attest(): Promise<Result> {
  stream?.close();
  stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const receipt = await machine.attest(stream, nonce);
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED, receipt.detail);
  return await readResult();
}

async function readResult(): Promise<Result> {
  const { result } = await callUnary(operator.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  assert.ok(result);
  return result;
}

/** Reads results until one is so: references and restarts make new ones in their own time. */
async function awaitResult(isWanted: (result: Result) => boolean): Promise<Result> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const result = await readResult();
    if (isWanted(result) || Date.now() > deadline) return result;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function restart(): Promise<void> {
  await world.restart();
  const deadline = Date.now() + 20_000;
  for (const { client } of [agent, operator, builder]) {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(deadline, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

async function putBuild(files: Record<string, string>, version = '0.1.0', keyId = 'agent-builder'): Promise<string> {
  const envelope = signStatement({
    subjects: [{ name: 'holdfast-agent', digest: { sha256: hex('0') } }],
    predicateType: AGENT_PREDICATE_TYPE,
    predicate: { version, files },
    key: keyId === 'builder' ? world.sbomKey : agentKey.privateKey,
    keyId,
  });
  const request = { envelope: Buffer.from(envelope) };
  const { reference } = await callUnary(builder.client, ReferenceService.method.putReference, request);
  return reference?.digest ?? assert.fail();
}

async function revoke(digest: string): Promise<void> {
  await callUnary(operator.client, ReferenceService.method.revokeReference, { digest, reason: 'a test' });
}

const listCodes = ({ findings }: Result) =>
  findings.map(({ code }) => code).filter((code) => code.startsWith('AGENT_'));
const findOf = ({ findings }: Result, wanted: string) => findings.find(({ code }) => code === wanted);

suite("the agent's own files in the IMA list", () => {
  test('hold without a signed list, which is told, and with one; a revoked list holds no more', async () => {
    measure(...BUILD_ENTRIES);
    const first = await attest();
    assert.equal(first.base, 'boot+ima');
    assert.deepEqual(listCodes(first), ['AGENT_NOT_REFERENCED']);
    const digest = await putBuild(BUILD);
    assert.deepEqual(listCodes(await awaitResult((result) => listCodes(result).length === 0)), []);
    await revoke(digest);
    const later = await awaitResult((result) => listCodes(result).length > 0);
    assert.deepEqual(listCodes(later), ['AGENT_NOT_REFERENCED']);
  });

  test('that were swapped are found, whether the agent admits it or not', async () => {
    const digest = await putBuild({ ...BUILD, LICENSE: hex('5') });
    measure(...BUILD_ENTRIES);
    assert.deepEqual(listCodes(await attest()), []);
    measure(encodeImaEntry(`${ROOT}/cli/src/main.js`, hex('e')));
    const silent = await attest();
    assert.deepEqual(listCodes(silent), ['AGENT_FILE_FOREIGN']);
    assert.equal(findOf(silent, 'AGENT_FILE_FOREIGN')?.path, `${ROOT}/cli/src/main.js`);
    assert.equal(silent.status, AttestationStatus.WARNING);
    machine.claims = {
      ...machine.claims,
      agent: { ...AGENT, main: { path: `${ROOT}/cli/src/main.js`, sha256: hex('e') } },
    };
    const admitted = await attest();
    assert.deepEqual(listCodes(admitted), ['AGENT_UNKNOWN']);
    assert.equal(findOf(admitted, 'AGENT_UNKNOWN')?.actual, hex('e'));
    assert.equal(admitted.status, AttestationStatus.CONTRAINDICATED);
    await revoke(digest);
  });

  test('that IMA did not measure are named', async () => {
    measure(...BUILD_ENTRIES.slice(0, 1), encodeImaEntry('/usr/bin/other', hex('2')));
    const result = await attest();
    assert.deepEqual(
      result.findings.filter(({ code }) => code === 'AGENT_UNMEASURED').map(({ path }) => path),
      [`${ROOT}/cli/src/main.js`, `${ROOT}/native/tpm.node`],
    );
    machine.claims = { ...machine.claims, agent: null };
    assert.deepEqual(listCodes(await attest()), ['AGENT_UNMEASURED']);
  });

  test('of another version than the token names need a list of that version', async () => {
    const digest = await putBuild(BUILD, '9.9.9');
    measure(...BUILD_ENTRIES);
    assert.deepEqual([...new Set(listCodes(await attest()))], ['AGENT_UNKNOWN']);
    await revoke(digest);
  });

  test('are not vouched for by a key of another role', async () => {
    await assert.rejects(putBuild(BUILD, '0.1.0', 'builder'), /another role/);
  });

  test('are remembered over rounds and a restart, without asking for the list again', async () => {
    const digest = await putBuild({ ...BUILD, README: hex('6') });
    measure(...BUILD_ENTRIES);
    assert.deepEqual(listCodes(await attest()), []);
    assert.deepEqual(
      machine.asked.filter((need) => need.startsWith('ima')),
      ['ima 0'],
    );
    await restart();
    assert.deepEqual(listCodes(await attest()), []);
    assert.deepEqual(machine.asked, []);
    measure(encodeImaEntry(`${ROOT}/agent/src/a.js`, hex('f')));
    assert.deepEqual(listCodes(await attest()), ['AGENT_FILE_FOREIGN']);
    assert.deepEqual(machine.asked, ['ima 5']);
    machine.tpm.clock.resetCount += 1;
    machine.boot(BOOT_LOG);
    machine.imaList = Buffer.alloc(0);
    measure(AGGREGATE, ...BUILD_ENTRIES);
    assert.deepEqual(listCodes(await attest()), []);
    await revoke(digest);
  });

  test('in another directory take the whole list again', async () => {
    measure(...BUILD_ENTRIES, encodeImaEntry('/srv/holdfast/bin/node', hex('1')));
    await attest();
    const moved = { root: '/srv/holdfast', executable: { path: '/srv/holdfast/bin/node', sha256: hex('1') } };
    machine.claims = { ...machine.claims, agent: { ...moved, main: null, modules: [] } };
    assert.deepEqual(listCodes(await attest()), ['AGENT_NOT_REFERENCED']);
    assert.deepEqual(machine.asked, ['ima 0']);
  });

  for (const template of IMA_TEMPLATES) {
    test(`are read from entries of template ${template}`, async () => {
      const entries = Object.entries(BUILD).map(([path, sha256]) =>
        encodeImaEntry(`${ROOT}/${path}`, sha256, { template }),
      );
      measure(...entries);
      const result = await attest();
      assert.equal(result.base, 'boot+ima');
      // The oldest template has SHA-1 digests and another those of buffers, which say nothing here.
      const expected =
        template === 'ima' || template === 'ima-buf'
          ? ['AGENT_UNMEASURED', 'AGENT_NOT_REFERENCED']
          : ['AGENT_NOT_REFERENCED'];
      assert.deepEqual([...new Set(listCodes(result))], expected);
    });
  }

  test('are read where the bank holds SHA-1 digests and zeros', async () => {
    machine.boot(BOOT_LOG);
    machine.imaList = Buffer.concat([AGGREGATE, ...BUILD_ENTRIES]);
    machine.measurePadded(machine.imaList);
    const result = await attest();
    assert.equal(result.base, 'boot+ima');
    assert.deepEqual(listCodes(result), ['AGENT_NOT_REFERENCED']);
  });

  test('say nothing where the list does not hold, is trimmed, or measured them while they were written', async () => {
    measure(...BUILD_ENTRIES);
    const whole = machine.imaList;
    assert.deepEqual(listCodes(await attest()), ['AGENT_NOT_REFERENCED']);
    measure(encodeImaEntry('/usr/bin/x', hex('a')));
    machine.imaList = machine.imaList.subarray(listImaEnds(whole)[3]);
    const trimmed = await attest();
    assert.deepEqual(listCodes(trimmed), []);
    assert.ok(findOf(trimmed, 'IMA_LOG_MISMATCH'));
    machine.tpm.clock.resetCount += 1;
    machine.boot(BOOT_LOG);
    const violated = BUILD_ENTRIES.slice(1).concat(violation(`${ROOT}/bin/node`));
    machine.imaList = Buffer.concat([AGGREGATE, ...violated]);
    machine.measure(Buffer.concat([AGGREGATE, ...BUILD_ENTRIES.slice(1)]));
    machine.extend(10, Buffer.alloc(32, 0xff));
    assert.deepEqual(listCodes(await attest()), ['AGENT_UNMEASURED', 'AGENT_NOT_REFERENCED']);
  });
});

function violation(path: string, options: ImaEntryOptions = {}): Buffer {
  return encodeImaEntry(path, hex('0'), { ...options, isViolation: true });
}

suite('code of containers in the IMA list', () => {
  const added = (path: string, sha256: string): DriftEntry => ({
    path,
    kind: 'added',
    entryType: 'file',
    reasons: ['newEntry', 'elf', 'executable'],
    after: { mode: '755', uid: 0, gid: 0, size: 1, sha256 },
  });
  const drift = (...relevant: DriftEntry[]) => [{ id: 'c1', drift: { relevant } }];
  const executed = ({ containers }: Result) =>
    containers.flatMap(({ findings }) => findings.filter(({ code }) => code === 'FOREIGN_CODE_MEASURED'));

  test('that was added is found when it was measured, before or after it is told, and over a restart', async () => {
    const containers = drift(added('/usr/bin/miner', hex('a')), added('/usr/bin/idle', hex('b')));
    measure(...BUILD_ENTRIES, encodeImaEntry('/usr/bin/miner', hex('c')));
    machine.claims = { ...machine.claims, containers };
    assert.deepEqual(executed(await attest()), []);
    measure(encodeImaEntry('/usr/bin/miner', hex('a')));
    const [finding, ...others] = executed(await attest());
    assert.deepEqual([finding?.path, finding?.actual, others.length], ['/usr/bin/miner', hex('a'), 0]);
    await restart();
    assert.equal(executed(await attest()).length, 1);
    measure(encodeImaEntry('/usr/bin/late', hex('d')));
    await attest();
    machine.claims = { ...machine.claims, containers: drift(added('/usr/bin/late', hex('d'))) };
    assert.deepEqual(
      executed(await attest()).map(({ path }) => path),
      ['/usr/bin/late'],
    );
  });

  test('that the agent itself read below the snapshot, or that another boot measured, is not', async () => {
    machine.claims = { ...machine.claims, containers: drift(added('/usr/bin/miner', hex('a'))) };
    measure(...BUILD_ENTRIES, encodeImaEntry('/var/lib/containerd/snapshots/7/fs/usr/bin/miner', hex('a')));
    assert.deepEqual(executed(await attest()), []);
    measure(encodeImaEntry('/usr/bin/miner', hex('a')));
    assert.equal(executed(await attest()).length, 1);
    machine.tpm.clock.resetCount += 1;
    machine.boot(BOOT_LOG);
    machine.imaList = Buffer.alloc(0);
    measure(AGGREGATE, ...BUILD_ENTRIES);
    assert.deepEqual(executed(await attest()), []);
  });
});
