import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { AttestationStatus, callUnary, type Result, ResultService, RoundOutcome } from '@holdfast/proto';
import {
  joinEventLog,
  type LoggedEvent,
  listImaEnds,
  MeasuredMachine,
  splitEventLog,
} from '../support/measured-machine.ts';
import { SoftwareAttester } from '../support/software-attester.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import {
  createVerifierWorld,
  type DialledClient,
  findPort,
  KUBE_NODE,
  type VerifierWorld,
} from '../support/verifier-world.ts';

const vectors = join(import.meta.dirname, '../vectors');
const vector = (name: string) => readFileSync(join(vectors, name));
const PLAIN = vector('measured-boot/plain-uki/binary_bios_measurements');
const SECURE = vector('measured-boot/secureboot-snakeoil/binary_bios_measurements');
const COMMAND_LINE = vector('measured-boot/plain-uki/cmdline').toString().trim();
const LIST = vector('measured-boot/plain-uki/ima_quote');
const ENDS = listImaEnds(LIST);
const entries = (from: number, to: number) => LIST.subarray(ENDS[from], ENDS[to]);
const EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001;
const EV_EFI_ACTION = 0x80000007;

let world: VerifierWorld;
let agent: DialledClient;
let operator: DialledClient;
let machine: MeasuredMachine;
let stream: AttestStream;

before(async () => {
  world = await createVerifierWorld({ listen: `127.0.0.1:${await findPort()}` });
  operator = await world.dial('operator', ['operator']);
  agent = await world.dial('agent', ['agent']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  machine = new MeasuredMachine(world.tpm, new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256));
});
after(async () => {
  stream.close();
  await world.close();
});

beforeEach(() => {
  machine.tpm.clock.resetCount += 1;
  machine.tpm.clock.restartCount = 0;
  machine.claims = { commandLine: COMMAND_LINE };
  machine.stated = {};
  machine.isEager = true;
  machine.isSilent = false;
  machine.imaList = Buffer.alloc(0);
});

async function restart(): Promise<void> {
  await world.restart();
  const deadline = Date.now() + 20_000;
  for (const { client } of [agent, operator]) {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(deadline, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }
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

const codesOf = ({ findings }: Result) =>
  findings.map(({ code }) => code).filter((code) => /^(?:BOOT|SECURE|CMDLINE|IMA|CLAIMS)_/.test(code));
const wrongOf = (result: Result) =>
  codesOf(result).filter((code) => !['BOOT_SESSION_NEW', 'BOOT_LOG_QUIRK', 'BOOT_NOT_REFERENCED'].includes(code));

function assertContraindicated(result: Result, ...codes: string[]): void {
  assert.deepEqual(wrongOf(result).toSorted(), codes.toSorted());
  assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
}

function editLog(log: Buffer, edit: (events: LoggedEvent[]) => LoggedEvent[]): Buffer {
  const { head, events } = splitEventLog(log);
  return joinEventLog({ head, events: edit(events) });
}

suite('the boot event log', () => {
  test('that gives the quoted PCRs is the base, and says whether Secure Boot is on', async () => {
    machine.boot(PLAIN);
    const plain = await attest();
    assert.deepEqual(wrongOf(plain), ['IMA_INACTIVE', 'SECURE_BOOT_OFF']);
    assert.equal(plain.base, 'boot');
    assert.equal(plain.status, AttestationStatus.WARNING);
    machine.boot(SECURE);
    machine.claims = { commandLine: vector('measured-boot/secureboot-snakeoil/cmdline').toString(), secureBoot: true };
    machine.tpm.clock.resetCount += 1;
    const secure = await attest();
    assert.deepEqual(wrongOf(secure), ['IMA_INACTIVE']);
    assert.equal(secure.base, 'boot');
  });

  test('travels once, is asked for where it is missing, and is remembered over a restart of the verifier', async () => {
    machine.boot(PLAIN);
    machine.isEager = false;
    // The store may still have it from the evidence before.
    machine.boot(editLog(PLAIN, (events) => [...events, event(13, 0xd, Buffer.from('one more'))]));
    assert.equal((await attest()).base, 'boot');
    assert.deepEqual(machine.asked, ['boot 0']);
    assert.equal((await attest()).base, 'boot');
    assert.deepEqual(machine.asked, []);
    await restart();
    assert.equal((await readResult()).base, 'boot');
    assert.equal((await attest()).base, 'boot');
    assert.deepEqual(machine.asked, []);
  });

  test('that the claims name and nobody has leaves nothing decided', async () => {
    machine.boot(editLog(PLAIN, (events) => [...events, event(12, 0xd, Buffer.from('never sent'))]));
    machine.isEager = false;
    machine.isSilent = true;
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['CLAIMS_MISSING', 'IMA_INACTIVE']);
    assert.equal(result.base, 'tpm');
    assert.equal(result.status, AttestationStatus.NONE);
  });

  test('that does not parse is refused', async () => {
    machine.boot(PLAIN);
    machine.eventLog = Buffer.from('no event log');
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['CLAIMS_MALFORMED', 'IMA_INACTIVE']);
    assert.equal(result.base, 'tpm');
  });

  test('with SHA-1 digests only cannot be compared', async () => {
    machine.boot(undefined);
    machine.eventLog = vector('event-logs/debian-10.bin');
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['BOOT_LOG_UNSUPPORTED', 'IMA_INACTIVE']);
  });

  for (const pcr of [0, 4, 7, 11, 15]) {
    test(`is contraindicated when the TPM has another PCR ${pcr}, stated or not`, async () => {
      machine.boot(PLAIN);
      machine.extend(pcr, Buffer.alloc(32, 9));
      const code = pcr === 15 ? 'BOOT_PCR_UNEXPLAINED' : 'BOOT_LOG_MISMATCH';
      assertContraindicated(await attest(), 'BOOT_LOG_MISMATCH', 'IMA_INACTIVE');
      machine.stated = { [pcr]: (machine.tpm.pcrs.get(pcr) ?? Buffer.alloc(32)).toString('hex') };
      const result = await attest();
      assertContraindicated(result, code, 'IMA_INACTIVE');
      assert.equal(result.base, 'tpm');
      assert.equal(result.findings.find((finding) => finding.code === code)?.actual, `PCR ${pcr}`);
    });
  }

  test('of another boot is contraindicated', async () => {
    machine.boot(PLAIN);
    machine.eventLog = SECURE;
    assertContraindicated(await attest(), 'BOOT_LOG_MISMATCH', 'IMA_INACTIVE');
  });

  test('whose Secure Boot events were renamed, with better ones measured later, is contraindicated', async () => {
    const genuine = splitEventLog(SECURE).events.filter(
      ({ pcr, type }) => pcr === 7 && type === EV_EFI_VARIABLE_DRIVER_CONFIG,
    );
    const renamed = editLog(PLAIN, (events) => [
      ...events.map((each) => (each.pcr === 7 ? { ...each, type: EV_EFI_ACTION, data: Buffer.from('nothing') } : each)),
      ...genuine,
    ]);
    machine.boot(renamed);
    machine.claims = { commandLine: COMMAND_LINE, secureBoot: true };
    const result = await attest();
    assert.ok(codesOf(result).includes('BOOT_LOG_FORGED'));
    assert.ok(codesOf(result).includes('SECURE_BOOT_UNPROVEN'));
    assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
    assert.equal(result.base, 'tpm');
  });

  test('with a forged command line over a genuine digest of something else is contraindicated', async () => {
    const line = 'root=/dev/sda1 ro lockdown=integrity';
    const forged = event(8, 0xd, Buffer.from(`kernel_cmdline: ${line}\0`), Buffer.from('grub module'));
    machine.boot(editLog(PLAIN, (events) => [...events, forged]));
    machine.claims = { commandLine: line };
    const result = await attest();
    assert.ok(codesOf(result).includes('BOOT_LOG_FORGED'));
    assert.ok(codesOf(result).includes('CMDLINE_MISMATCH'));
    assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
  });

  test('with another command line than the kernel tells is contraindicated', async () => {
    machine.boot(PLAIN);
    machine.claims = { commandLine: `${COMMAND_LINE} init=/bin/sh` };
    assertContraindicated(await attest(), 'CMDLINE_MISMATCH', 'IMA_INACTIVE', 'SECURE_BOOT_OFF');
  });

  test('convicts an agent that says another state of Secure Boot', async () => {
    machine.boot(PLAIN);
    machine.claims = { commandLine: COMMAND_LINE, secureBoot: true };
    assertContraindicated(await attest(), 'IMA_INACTIVE', 'SECURE_BOOT_CONTRADICTION', 'SECURE_BOOT_OFF');
  });

  test('missing, with stated values that are not the quoted ones, is contraindicated', async () => {
    machine.boot(undefined);
    machine.stated = { 4: '11'.repeat(32) };
    assertContraindicated(await attest(), 'BOOT_LOG_MISMATCH', 'BOOT_LOG_MISSING', 'IMA_INACTIVE');
  });
});

function event(pcr: number, type: number, data: Buffer, measured = data): LoggedEvent {
  return { pcr, type, data, digest: createHash('sha256').update(measured).digest() };
}

suite('the IMA list', () => {
  const bootWith = (measured: number, listed: number): void => {
    machine.boot(PLAIN);
    machine.measure(entries(0, measured));
    machine.imaList = entries(0, listed);
  };
  const clean = ['SECURE_BOOT_OFF'];

  test('holds by its longest prefix, and goes on from there by what is asked for', async () => {
    bootWith(47, 60);
    const first = await attest();
    assert.deepEqual(wrongOf(first), clean);
    assert.equal(first.base, 'boot+ima');
    assert.deepEqual(machine.asked, []);
    assert.deepEqual(wrongOf(await attest()), clean);
    assert.deepEqual(machine.asked, []);
    machine.measure(entries(47, 80));
    machine.imaList = entries(0, 100);
    machine.isEager = false;
    assert.equal((await attest()).base, 'boot+ima');
    assert.deepEqual(machine.asked, ['ima 47']);
    await restart();
    machine.measure(entries(80, 100));
    assert.equal((await attest()).base, 'boot+ima');
    assert.deepEqual(machine.asked, ['ima 80']);
  });

  test('comes in segments, as many as it takes', async () => {
    bootWith(95, 115);
    machine.isEager = false;
    machine.segmentEntries = 30;
    assert.equal((await attest()).base, 'boot+ima');
    assert.deepEqual(
      machine.asked.filter((need) => need.startsWith('ima')),
      ['ima 0', 'ima 30', 'ima 60', 'ima 90'],
    );
    machine.segmentEntries = Number.POSITIVE_INFINITY;
  });

  test('read before the quote is contraindicated', async () => {
    bootWith(47, 11);
    assertContraindicated(await attest(), 'IMA_LOG_MISMATCH', ...clean);
  });

  test('that shrinks or forks is contraindicated, also after a restart, and good again once it holds', async () => {
    bootWith(47, 47);
    assert.equal((await attest()).base, 'boot+ima');
    machine.measure(entries(47, 80));
    machine.imaList = entries(0, 30);
    assertContraindicated(await attest(), 'IMA_LOG_MISMATCH', ...clean);
    await restart();
    assertContraindicated(await readResult(), 'IMA_LOG_MISMATCH', ...clean);
    machine.imaList = Buffer.concat([entries(0, 47), entries(80, 115)]);
    assertContraindicated(await attest(), 'IMA_LOG_MISMATCH', ...clean);
    machine.imaList = entries(0, 80);
    assert.equal((await attest()).base, 'boot+ima');
  });

  test('with one entry left out, changed or moved is contraindicated', async () => {
    const changed = Buffer.from(entries(0, 47));
    changed.writeUInt8(changed.readUInt8((ENDS[20] ?? 0) - 2) ^ 1, (ENDS[20] ?? 0) - 2);
    const lists = [
      Buffer.concat([entries(0, 20), entries(21, 47)]),
      Buffer.concat([entries(0, 20), entries(21, 22), entries(20, 21), entries(22, 47)]),
      changed,
      entries(1, 47),
      entries(0, 47).subarray(0, -1),
    ];
    for (const list of lists) {
      machine.tpm.clock.resetCount += 1;
      bootWith(47, 47);
      machine.imaList = list;
      const result = await attest();
      assert.ok(wrongOf(result).includes('IMA_LOG_MISMATCH'));
      assert.equal(result.base, 'boot');
    }
  });

  test('that is not given leaves nothing decided', async () => {
    bootWith(47, 0);
    machine.claims = { ...machine.claims, imaActive: true };
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['IMA_LOG_MISSING', ...clean]);
    assert.equal(result.status, AttestationStatus.NONE);
  });

  test('of another boot is contraindicated by its first entry', async () => {
    bootWith(47, 47);
    machine.boot(SECURE);
    machine.measure(entries(0, 47));
    machine.claims = { commandLine: vector('measured-boot/secureboot-snakeoil/cmdline').toString() };
    const result = await attest();
    assertContraindicated(result, 'IMA_BOOT_AGGREGATE');
    assert.equal(result.base, 'boot');
  });

  test('with its first entry alone measures nothing', async () => {
    bootWith(1, 1);
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['IMA_MEASURES_NOTHING', ...clean]);
    assert.equal(result.base, 'boot');
  });

  test('tells its violations', async () => {
    const violation = Buffer.from(entries(5, 6));
    violation.fill(0, 4, 24);
    bootWith(20, 20);
    machine.extend(10, Buffer.alloc(32, 0xff));
    machine.imaList = Buffer.concat([machine.imaList, violation]);
    const result = await attest();
    assert.deepEqual(wrongOf(result), ['IMA_VIOLATIONS', ...clean]);
    assert.equal(result.findings.find(({ code }) => code === 'IMA_VIOLATIONS')?.actual, '1');
  });

  test('that the claims deny while PCR 10 has a value is a contradiction', async () => {
    bootWith(20, 20);
    machine.claims = { ...machine.claims, imaActive: false };
    assert.ok(wrongOf(await attest()).includes('IMA_CONTRADICTION'));
  });
});

suite('boot sessions', () => {
  test('a reboot begins the list anew', async () => {
    machine.boot(PLAIN);
    machine.measure(entries(0, 47));
    machine.imaList = entries(0, 47);
    assert.equal((await attest()).base, 'boot+ima');
    machine.tpm.clock.resetCount += 1;
    machine.boot(PLAIN);
    machine.measure(entries(0, 12));
    machine.imaList = entries(0, 12);
    const result = await attest();
    assert.equal(result.base, 'boot+ima');
    assert.ok(codesOf(result).includes('BOOT_SESSION_NEW'));
  });

  test('a resume goes on, a restart without a reset begins anew', async () => {
    machine.boot(PLAIN);
    machine.measure(entries(0, 47));
    machine.imaList = entries(0, 60);
    assert.equal((await attest()).base, 'boot+ima');
    machine.tpm.clock.restartCount += 1;
    machine.measure(entries(47, 60));
    const resumed = await attest();
    assert.equal(resumed.base, 'boot+ima');
    assert.match(codesOf(resumed).join(), /^(?!.*BOOT_SESSION_NEW).*BOOT_SESSION_RESUMED/);
    machine.tpm.clock.restartCount += 1;
    machine.boot(PLAIN);
    machine.measure(entries(0, 12));
    machine.imaList = entries(0, 12);
    const restarted = await attest();
    assert.equal(restarted.base, 'boot+ima');
    assert.ok(codesOf(restarted).includes('BOOT_SESSION_NEW'));
  });

  test('PCRs that start anew without a reset or restart are contraindicated', async () => {
    machine.boot(PLAIN);
    machine.measure(entries(0, 47));
    machine.imaList = entries(0, 47);
    await attest();
    machine.boot(PLAIN);
    machine.measure(entries(0, 12));
    machine.imaList = entries(0, 12);
    assertContraindicated(await attest(), 'IMA_LOG_MISMATCH', 'SECURE_BOOT_OFF');
  });
});
