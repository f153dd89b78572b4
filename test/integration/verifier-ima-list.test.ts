import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { AttestationStatus, callUnary, type Result, ResultService, RoundOutcome } from '@holdfast/proto';
import { encodeImaEntry } from '../support/ima-list.ts';
import { listImaEnds, MeasuredMachine } from '../support/measured-machine.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import {
  createVerifierWorld,
  type DialledClient,
  findPort,
  KUBE_NODE,
  type VerifierWorld,
} from '../support/verifier-world.ts';

const vector = (name: string) => readFileSync(join(import.meta.dirname, '../vectors/measured-boot', name));
const PLAIN = vector('plain-uki/binary_bios_measurements');
const SECURE = vector('secureboot-snakeoil/binary_bios_measurements');
const LIST = vector('plain-uki/ima_quote');
const ENDS = listImaEnds(LIST);
const entries = (from: number, to: number) => LIST.subarray(ENDS[from], ENDS[to]);
const COMMAND_LINES = new Map<Buffer, string>([
  [PLAIN, vector('plain-uki/cmdline').toString().trim()],
  [SECURE, vector('secureboot-snakeoil/cmdline').toString()],
]);

const MAX_ROUND_BYTES = 4 * 1024 * 1024;

let world: VerifierWorld;
let operator: DialledClient;
let agent: DialledClient;
let machine: MeasuredMachine;

before(async () => {
  world = await createVerifierWorld({ listen: `127.0.0.1:${await findPort()}`, maxRoundBytes: MAX_ROUND_BYTES });
  operator = await world.dial('operator', ['operator']);
  agent = await world.dial('agent', ['agent']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  machine = new MeasuredMachine(world.tpm, new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256));
});
after(async () => {
  await world.close();
});

beforeEach(() => {
  machine.isEager = true;
  machine.segmentEntries = Number.POSITIVE_INFINITY;
});

/** Another boot with this log; the list has these entries, and the TPM those of them that it is given. */
function bootWith(log: Buffer, measured: Buffer, list: Buffer): void {
  machine.tpm.clock.resetCount += 1;
  machine.boot(log);
  machine.claims = { commandLine: COMMAND_LINES.get(log) ?? '' };
  machine.measure(measured);
  machine.imaList = list;
}

async function attest(): Promise<{ codes: string[]; base: string; status: AttestationStatus }> {
  const stream = new AttestStream(agent);
  const { nonce } = await stream.open(world.tpm, KUBE_NODE);
  const receipt = await machine.attest(stream, nonce);
  stream.close();
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED, receipt.detail);
  const { base, status, findings } = await readResult();
  return { codes: findings.map(({ code }) => code).filter((code) => code.startsWith('IMA_')), base, status };
}

/** A verifier that has not replayed anything yet. */
async function restart(): Promise<void> {
  await world.restart();
  const deadline = Date.now() + 20_000;
  for (const { client } of [agent, operator]) {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(deadline, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

async function readResult(): Promise<Result> {
  const { result } = await callUnary(operator.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  assert.ok(result);
  return result;
}

suite('entries of other PCRs in an IMA list', () => {
  const foreign = Buffer.from(entries(1, 2));
  foreign.writeUInt32LE(11);
  const many = Buffer.concat(Array.from({ length: 5 }, () => foreign));

  for (const segmentEntries of [3, 5, Number.POSITIVE_INFINITY]) {
    test(`hide neither that it belongs to another boot nor that it measures nothing, by ${segmentEntries} at a time`, async () => {
      machine.isEager = false;
      machine.segmentEntries = segmentEntries;
      bootWith(SECURE, entries(0, 12), Buffer.concat([many, entries(0, 12)]));
      const other = await attest();
      assert.deepEqual([other.codes, other.base], [['IMA_BOOT_AGGREGATE'], 'boot']);
      assert.equal(other.status, AttestationStatus.CONTRAINDICATED);
      bootWith(PLAIN, entries(0, 1), Buffer.concat([many, entries(0, 1), many]));
      const alone = await attest();
      assert.deepEqual([alone.codes, alone.base], [['IMA_MEASURES_NOTHING'], 'boot']);
      bootWith(PLAIN, entries(0, 12), Buffer.concat([many, entries(0, 12), many]));
      assert.deepEqual(await attest(), { codes: [], base: 'boot+ima', status: AttestationStatus.WARNING });
    });
  }
});

suite('a long IMA list', () => {
  const SEGMENT_ENTRIES = 10_000;
  const createList = (count: number) => {
    const more = Array.from({ length: count }, (_, at) => encodeImaEntry(`/f${at}`, '11'.repeat(32)));
    return Buffer.concat([entries(0, 1), ...more]);
  };
  const askedFor = () => machine.asked.filter((need) => need.startsWith('ima'));

  beforeEach(async () => {
    await restart();
    machine.isEager = false;
    machine.segmentEntries = SEGMENT_ENTRIES;
  });

  test('that does not hold is not replayed again within a minute, and stays contraindicated until it is', async () => {
    const list = createList(40_000);
    const ends = listImaEnds(list);
    const without = Buffer.concat([list.subarray(0, ends[30_000]), list.subarray(ends[30_001])]);
    bootWith(PLAIN, list, without);
    const first = await attest();
    assert.deepEqual([first.codes, askedFor().length], [['IMA_LOG_MISMATCH'], 5]);
    machine.imaList = list;
    for (let round = 0; round < 3; round += 1) {
      const again = await attest();
      assert.deepEqual([again.codes, askedFor()], [['IMA_LOG_MISMATCH'], []]);
      assert.equal(again.status, AttestationStatus.CONTRAINDICATED);
    }
    await restart();
    assert.equal((await attest()).base, 'boot+ima');
  });

  test('counts with what a round carries, and leaves nothing decided where that is too much', async () => {
    const list = createList(60_000);
    assert.ok(list.length > MAX_ROUND_BYTES);
    bootWith(PLAIN, list, list);
    const { codes, status } = await attest();
    assert.deepEqual([codes, status], [['IMA_LOG_MISSING'], AttestationStatus.NONE]);
    assert.equal(askedFor().length, 5);
  });

  test('is refused in segments longer than agents make them', async () => {
    const list = createList(30_000);
    bootWith(PLAIN, entries(0, 1), list);
    machine.segmentEntries = Number.POSITIVE_INFINITY;
    const stream = new AttestStream(agent);
    const { nonce } = await stream.open(world.tpm, KUBE_NODE);
    const receipt = await machine.attest(stream, nonce);
    stream.close();
    assert.deepEqual([receipt.outcome, receipt.code], [RoundOutcome.REFUSED, 'ERR_VERIFIER_LIMIT']);
  });
});
