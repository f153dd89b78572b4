import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BOOT_PREDICATE_TYPE, type BootReference, createBootReference } from '@holdfast/evidence';
import { callUnary, ReferenceService, type Result, ResultService, RoundOutcome } from '@holdfast/proto';
import { signStatement } from '@holdfast/verifier';
import { joinEventLog, MeasuredMachine, splitEventLog } from '../support/measured-machine.ts';
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
const COMMAND_LINE = readFileSync(join(vectors, 'cmdline'), 'utf8').trim();
const { head, events } = splitEventLog(readFileSync(join(vectors, 'binary_bios_measurements')));
/** Without the sections of the image, whose content nobody has any more. */
const LOG = joinEventLog({ head, events: events.filter(({ pcr }) => pcr !== 11) });
const IMAGES = events.filter(({ type }) => type === 0x80000003).map(({ digest }) => digest);

let world: VerifierWorld;
let builder: DialledClient;
let operator: DialledClient;
let machine: MeasuredMachine;
let agent: DialledClient;
let stream: AttestStream;
let bootKey: { privateKey: KeyObject; publicKey: KeyObject };

function makeReference(commandLine: string): BootReference {
  const [image, inner] = IMAGES.map((digest, at) => ({ name: `image ${at}`, digest, authority: null }));
  assert.ok(image && inner);
  const rest = { sections: [], isCommandLineOfLoader: false, initrd: null, variables: null };
  return createBootReference({ images: [image], innerImage: inner, commandLine, ...rest });
}

function sign(predicate: object, kubeNode = '*'): Buffer {
  const subjects = [{ name: kubeNode, digest: { sha256: 'a'.repeat(64) } }];
  const options = { subjects, predicateType: BOOT_PREDICATE_TYPE, predicate, key: bootKey.privateKey, keyId: 'boots' };
  return Buffer.from(signStatement(options));
}

async function put(envelope: Buffer): Promise<string> {
  const deadline = { deadline: Date.now() + 10_000 };
  const { reference } = await callUnary(builder.client, ReferenceService.method.putReference, { envelope }, deadline);
  return reference?.digest ?? assert.fail();
}

async function revoke(digest: string): Promise<void> {
  await callUnary(operator.client, ReferenceService.method.revokeReference, { digest, reason: 'withdrawn' });
}

const describeKey = (changes: Record<string, unknown> = {}) =>
  createTrustKey('boots', bootKey.publicKey, { role: 'boot', ...changes });

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
  return result ?? assert.fail();
}

const codesOf = ({ findings }: Result) =>
  findings.map(({ code }) => code).filter((code) => /REFERENCE|UNEXPECTED|MISMATCH|PHASES/.test(code));

/** The standing evidence is appraised again by itself when references or trust change. */
async function waitForCodes(...codes: string[]): Promise<Result> {
  const end = Date.now() + 15_000;
  for (;;) {
    const result = await readResult();
    if (codesOf(result).join() === codes.join()) return result;
    if (Date.now() > end) assert.deepEqual(codesOf(result), codes);
    await sleep(30);
  }
}

before(async () => {
  bootKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  world = await createVerifierWorld();
  await world.writeTrust({ keys: [describeKey()] });
  operator = await world.dial('operator', ['operator']);
  builder = await world.dial('builder', ['builder']);
  agent = await world.dial('agent', ['agent']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  machine = new MeasuredMachine(world.tpm, new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256));
  machine.claims = { commandLine: COMMAND_LINE };
  machine.boot(LOG);
});
after(async () => {
  stream?.close();
  await world.close();
});

suite('signed boot references', () => {
  test('decide over standing evidence as they come, are revoked, and lose their key', async () => {
    assert.deepEqual(codesOf(await attest()), ['BOOT_NOT_REFERENCED']);
    // The key may be seen a moment later than the evidence.
    const wrong = await putWhenTrusted(sign(makeReference('quiet')));
    const result = await waitForCodes('BOOT_CMDLINE_UNEXPECTED');
    const [finding] = result.findings.filter(({ code }) => code === 'BOOT_CMDLINE_UNEXPECTED');
    assert.deepEqual([finding?.expected, finding?.actual], ['quiet', COMMAND_LINE]);
    await put(sign(makeReference('other'), 'worker-2'));
    const right = await put(sign(makeReference(COMMAND_LINE), KUBE_NODE));
    await waitForCodes();
    await revoke(right);
    await waitForCodes('BOOT_CMDLINE_UNEXPECTED');
    await revoke(wrong);
    await waitForCodes('BOOT_NOT_REFERENCED');
    await put(sign(makeReference(COMMAND_LINE)));
    await waitForCodes();
    await world.writeTrust({ keys: [describeKey({ revokedAt: new Date().toISOString() })] });
    await waitForCodes('BOOT_NOT_REFERENCED');
    await world.writeTrust({ keys: [describeKey()] });
    await waitForCodes();
  });

  test('see what was measured beside the boot, wherever the machine says that it came from', async () => {
    machine.tpm.clock.resetCount += 1;
    machine.boot(LOG);
    const text = Buffer.from('init=/bin/sh\0', 'utf16le');
    const digest = createHash('sha256').update(text).digest();
    machine.extend(12, digest);
    const digests = [{ hashAlg: 'sha256', digest: digest.toString('hex') }];
    machine.userspaceLog = Buffer.from(`\x1e${JSON.stringify({ pcr: 12, digests, content: {} })}\n`);
    assert.deepEqual(codesOf(await attest()), ['BOOT_LOG_MISMATCH']);
    machine.tpm.clock.resetCount += 1;
    const event = { pcr: 12, type: 0xd, digest, data: text };
    machine.boot(joinEventLog({ head, events: [...splitEventLog(LOG).events, event] }));
    machine.userspaceLog = undefined;
    const result = await attest();
    const unexpected = result.findings.filter(({ code }) => code === 'BOOT_CMDLINE_UNEXPECTED');
    assert.deepEqual(
      unexpected.map(({ expected, actual }) => [expected, actual]),
      [[COMMAND_LINE, 'init=/bin/sh']],
    );
  });
});

async function putWhenTrusted(envelope: Buffer): Promise<string> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      return await put(envelope);
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(100);
    }
  }
}
