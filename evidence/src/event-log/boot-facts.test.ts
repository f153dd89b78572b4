import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configEvent,
  encodeEventLog,
  encodeVariable,
  exitBootServices,
  firmwareEvents,
  grubEvent,
  separatorEvent,
  type WrittenEvent,
} from '../testing/event-log-fixture.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { PROFILE_SELECTIONS } from '../token/quote-binding.ts';
import { verifyQuote } from '../tpm/quote.ts';
import { type BootFacts, readBootFacts } from './boot-facts.ts';
import type { BootFindingCode } from './boot-finding.ts';
import { compareQuotedReplay, compareReplayedPcrs } from './compare-pcrs.ts';
import { EVENT_TYPE } from './event-type.ts';
import { matchCommandLine } from './kernel-command-line.ts';
import { parseEventLog } from './parse-event-log.ts';
import { replayEventLog } from './replay-event-log.ts';

const read = (events: readonly WrittenEvent[]): BootFacts => readBootFacts(parseEventLog(encodeEventLog(events)));
const codes = ({ findings }: BootFacts): BootFindingCode[] => findings.map(({ code }) => code);
const quirks = (facts: BootFacts) => facts.quirks.map(({ code }) => code);
const boot = [...firmwareEvents(true), exitBootServices()];
const replace = (from: number, ...events: WrittenEvent[]) =>
  boot.with(from, events[0] ?? assert.fail()).concat(events.slice(1));

test('a plain boot has its state of Secure Boot and nothing odd', () => {
  const facts = read(boot);
  assert.equal(facts.secureBoot.enabled, true);
  assert.deepEqual(
    facts.secureBoot.variables.map(({ name }) => name),
    ['SecureBoot', 'PK', 'KEK', 'db', 'dbx'],
  );
  assert.deepEqual(facts.findings, []);
  assert.deepEqual(facts.quirks, []);
  assert.equal(read([...firmwareEvents(false), exitBootServices()]).secureBoot.enabled, false);
});

test('recorded boots: Secure Boot off and on, sections of the UKI, no finding', () => {
  for (const [name, enabled] of [
    ['plain-uki', false],
    ['secureboot-snakeoil', true],
  ] as const) {
    const facts = readBootFacts(parseEventLog(readVector(`measured-boot/${name}/binary_bios_measurements`)));
    assert.equal(facts.secureBoot.enabled, enabled);
    assert.deepEqual(facts.findings, []);
    assert.deepEqual(
      facts.images.sections.map((section) => section.name),
      ['.linux', '.osrel', '.cmdline'],
    );
    assert.equal(facts.images.applications[0]?.name, '\\EFI\\BOOT\\BOOTX64.EFI');
  }
});

test('the command line that the kernel reports is the one that the stub and the UKI measured', () => {
  const { commandLine } = readBootFacts(parseEventLog(readVector('measured-boot/plain-uki/binary_bios_measurements')));
  const reported = readVector('measured-boot/plain-uki/cmdline').toString().trim();
  assert.deepEqual(matchCommandLine(commandLine, reported), { measured: 2, matching: 2 });
  assert.deepEqual(matchCommandLine(commandLine, `${reported} init=/bin/sh`), { measured: 2, matching: 0 });
});

test('a machine with GRUB: command line, authorities, known quirks, no finding', () => {
  const facts = readBootFacts(parseEventLog(readVector('event-logs/cos-85-amd-sev.bin')));
  assert.equal(facts.secureBoot.enabled, true);
  assert.equal(facts.secureBoot.authorities.length, 3);
  const [line] = facts.commandLine.texts;
  assert.match(line?.text ?? '', /^\/syslinux\/vmlinuz\.A init=\/usr\/lib\/systemd\/systemd boot=local /);
  assert.deepEqual(matchCommandLine(facts.commandLine, `BOOT_IMAGE=${line?.text}`), { measured: 1, matching: 1 });
  assert.deepEqual(facts.findings, []);
  assert.deepEqual(quirks(facts), ['BOOT_VARIABLE_DATA_ONLY', 'AUTHORITY_TRAILING_BYTE']);
});

test('firmware of the log decides what is named as a quirk', () => {
  const quirksOf = (name: string) => quirks(readBootFacts(parseEventLog(readVector(`event-logs/${name}.bin`))));
  assert.ok(quirksOf('debian-10').includes('SHA1_ONLY_LOG'));
  assert.ok(quirksOf('glinux-alex').includes('STARTUP_LOCALITY_3'));
  assert.ok(quirksOf('eventlogwithsp800155').includes('SP800_155_REFERENCE'));
  assert.deepEqual(quirks(read(firmwareEvents(true))), ['EXIT_BOOT_SERVICES_MISSING']);
  assert.deepEqual(quirks(read([...boot, { pcr: 17, type: 0x400, data: Buffer.of(1) }])), ['DYNAMIC_LAUNCH_EVENTS']);
});

test('the type forgery of Secure Boot is refused: real events renamed, forged ones appended', () => {
  const off = firmwareEvents(false);
  for (const type of [EVENT_TYPE.EV_EFI_ACTION, EVENT_TYPE.EV_EVENT_TAG, 0x2, EVENT_TYPE.EV_IPL]) {
    const renamed = off.map((event) => (event.pcr === 7 ? { ...event, type } : event));
    const facts = read([...renamed, ...firmwareEvents(true).filter(({ pcr }) => pcr === 7), exitBootServices()]);
    assert.equal(facts.secureBoot.enabled, null);
    assert.ok(codes(facts).includes('SEPARATOR_RETYPED'), 'separator');
    assert.ok(codes(facts).includes('SECURE_BOOT_EVENT_UNEXPECTED'), 'variables');
    assert.ok(codes(facts).includes('CONFIG_AFTER_SEPARATOR'), 'appended');
  }
});

test('a real event renamed to one that extends nothing shows by its digest, and no longer replays', () => {
  const [first, ...rest] = firmwareEvents(false);
  const digest = Buffer.alloc(32, 7);
  const facts = read([
    { ...(first ?? assert.fail()), type: EVENT_TYPE.EV_NO_ACTION, digest },
    ...rest,
    exitBootServices(),
  ]);
  assert.ok(codes(facts).includes('NO_ACTION_DIGEST'));
  assert.equal(facts.secureBoot.enabled, null);
});

test('what firmware says in words before the separator is kept: debug mode', () => {
  const debug = { pcr: 7, type: EVENT_TYPE.EV_EFI_ACTION, data: Buffer.from('UEFI Debug Mode') };
  const facts = read([debug, ...boot]);
  assert.deepEqual(facts.secureBoot.actions, ['UEFI Debug Mode']);
  assert.deepEqual(facts.findings, []);
});

test('a forged variable under a genuine but unrelated digest is refused', () => {
  const forged = { ...configEvent('SecureBoot', Buffer.of(1)), measured: encodeVariable('SecureBoot', Buffer.of(0)) };
  const facts = read(replace(0, forged));
  assert.equal(facts.secureBoot.enabled, null);
  assert.deepEqual(codes(facts), ['EVENT_DATA_MISMATCH', 'SECURE_BOOT_EVENT_UNEXPECTED']);
});

test('Secure Boot variables out of order, missing, repeated or too long leave the state open', () => {
  const [state, pk, ...rest] = boot;
  if (state === undefined || pk === undefined) assert.fail();
  for (const events of [
    [pk, state, ...rest],
    [pk, ...rest],
    [state, pk, state, ...rest],
    [configEvent('SecureBoot', Buffer.of(1, 1)), pk, ...rest],
  ]) {
    const facts = read(events);
    assert.equal(facts.secureBoot.enabled, null);
    assert.deepEqual(facts.secureBoot.variables, []);
    assert.deepEqual(codes(facts), ['SECURE_BOOT_SEQUENCE']);
  }
});

test('separators that are missing, repeated or report an error are findings', () => {
  const without = boot.filter(({ pcr, type }) => !(pcr === 7 && type === EVENT_TYPE.EV_SEPARATOR));
  assert.deepEqual(codes(read(without)), ['SEPARATOR_MISSING']);
  assert.equal(read(without).secureBoot.enabled, null);
  assert.deepEqual(codes(read([...boot, separatorEvent(4)])), ['SEPARATOR_REPEATED']);
  const error = { ...separatorEvent(3), data: Buffer.from('01000000', 'hex') };
  assert.deepEqual(codes(read(boot.map((event) => (event.pcr === 3 ? error : event)))), ['SEPARATOR_ERROR']);
  assert.ok(codes(readBootFacts(parseEventLog(encodeEventLog([])))).includes('SEPARATOR_MISSING'));
});

test('a startup locality that does not exist, comes late or twice is a finding', () => {
  const locality = (value: number): WrittenEvent => {
    const data = Buffer.concat([Buffer.from('StartupLocality\0'), Buffer.of(value)]);
    return { pcr: 0, type: EVENT_TYPE.EV_NO_ACTION, data };
  };
  assert.deepEqual(codes(read([locality(3), ...boot])), []);
  for (const events of [
    [locality(5), ...boot],
    [...boot, locality(3)],
    [locality(3), locality(3), ...boot],
  ]) {
    assert.deepEqual(codes(read(events)), ['STARTUP_LOCALITY']);
  }
});

const good = '/vmlinuz root=/dev/sda1 ro';
const bad = '/vmlinuz root=/dev/sda1 init=/bin/sh';

test('a command line whose data is not what was measured is refused', () => {
  const forged = { ...grubEvent('kernel_cmdline:', good), measured: Buffer.from(bad) };
  const facts = read([...boot, forged]);
  assert.deepEqual(facts.commandLine.texts, []);
  assert.deepEqual(codes(facts), ['EVENT_DATA_MISMATCH']);
});

test('a command line is read under the labels of both GRUBs', () => {
  for (const label of ['kernel_cmdline:', 'grub_kernel_cmdline']) {
    const facts = read([...boot, grubEvent('grub_cmd:', `linux ${good}`), grubEvent(label, good)]);
    assert.deepEqual(
      facts.commandLine.texts.map(({ text }) => text),
      [good],
    );
    assert.deepEqual(facts.findings, []);
  }
});

test('a real command line under another label is named', () => {
  const facts = read([...boot, grubEvent('grub_cmd:', bad), grubEvent('kernel_cmdline:', good)]);
  assert.deepEqual(codes(facts), ['COMMAND_LINE_RELABELLED', 'COMMAND_LINE_AMBIGUOUS']);
  assert.deepEqual(
    facts.commandLine.texts.map(({ text }) => text),
    [bad, good],
  );
});

test('two command lines, or one that GRUB was not told, cannot be told apart', () => {
  const two = [grubEvent('kernel_cmdline:', bad), grubEvent('kernel_cmdline:', good)];
  assert.deepEqual(codes(read([...boot, ...two])), ['COMMAND_LINE_AMBIGUOUS']);
  const told = [grubEvent('grub_cmd:', `linux ${bad}`), grubEvent('kernel_cmdline:', good)];
  assert.deepEqual(codes(read([...boot, ...told])), ['COMMAND_LINE_AMBIGUOUS']);
  const quoted = [grubEvent('grub_cmd:', 'linux /v dm=1 a b'), grubEvent('kernel_cmdline:', '/v "dm=1 a b"')];
  assert.deepEqual(codes(read([...boot, ...quoted])), []);
});

test('systemd-boot’s command line is read from PCR 8 and 12, whole or cut short', () => {
  const text = Buffer.from(`${good}\0`, 'utf16le');
  for (const pcr of [8, 12]) {
    for (const data of [text, text.subarray(0, -1)]) {
      const facts = read([...boot, { pcr, type: EVENT_TYPE.EV_IPL, data, measured: text }]);
      assert.deepEqual(
        facts.commandLine.texts.map((line) => [line.source, line.text]),
        [['systemdBoot', good]],
      );
      assert.equal(matchCommandLine(facts.commandLine, good).matching, 1);
      assert.deepEqual(facts.findings, []);
    }
  }
});

test('an initrd that the kernel’s stub measured is named by its digest', () => {
  const data = Buffer.concat([Buffer.from('ec223b8f0d000000', 'hex'), Buffer.from('Linux initrd\0')]);
  const facts = read([...boot, { pcr: 9, type: EVENT_TYPE.EV_EVENT_TAG, data, measured: Buffer.from('content') }]);
  assert.equal(facts.images.initrds[0]?.name, 'Linux initrd');
});

const bank = replayEventLog(parseEventLog(encodeEventLog(boot))).get('sha256') ?? assert.fail();

test('PCRs are compared one by one: match, mismatch, unexplained, not applicable', () => {
  const values = new Map<number, Uint8Array>([
    [0, bank.pcrs.get(0) ?? assert.fail()],
    [1, Buffer.alloc(32, 9)],
    [8, Buffer.alloc(32)],
    [9, Buffer.alloc(32, 1)],
    [10, Buffer.alloc(32, 1)],
    [16, Buffer.alloc(32, 1)],
  ]);
  assert.deepEqual(
    compareReplayedPcrs(bank, values).map(({ outcome }) => outcome),
    ['match', 'mismatch', 'match', 'unexplained', 'notApplicable', 'notApplicable'],
  );
});

test('a PCR with an event that lacks a digest of the bank never matches', () => {
  const incomplete = { ...bank, incomplete: new Set([0]) };
  const value = bank.pcrs.get(0) ?? assert.fail();
  assert.equal(compareReplayedPcrs(incomplete, new Map([[0, value]]))[0]?.outcome, 'mismatch');
});

const tpm = new SimulatedTpm();
const [selection] = PROFILE_SELECTIONS;
function quoteOf(pcrs: ReadonlyMap<number, Uint8Array>) {
  for (let pcr = 0; pcr < 24; pcr += 1) tpm.pcrs.set(pcr, Buffer.from(pcrs.get(pcr) ?? Buffer.alloc(32)));
  const key = tpm.ak.publicKey;
  const qualifyingData = Buffer.alloc(32);
  return verifyQuote(tpm.quote(qualifyingData, selection), { key, qualifyingData, selection });
}

test('a replay that gives the quoted digest makes every PCR match', () => {
  const { isQuoted, pcrs } = compareQuotedReplay(quoteOf(bank.pcrs), bank, new Map());
  assert.ok(isQuoted && pcrs.length === 15 && pcrs.every(({ outcome }) => outcome === 'match'));
});

test('a TPM with another value in any PCR is not that of the log', () => {
  const other = new Map(bank.pcrs).set(4, Buffer.alloc(32, 1));
  assert.deepEqual(compareQuotedReplay(quoteOf(other), bank, new Map()), { isQuoted: false, pcrs: [] });
});

test('a stated value explains the digest and is compared: mismatch with events, unexplained without', () => {
  const changed = Buffer.alloc(32, 1);
  const quote = quoteOf(new Map(bank.pcrs).set(4, changed).set(15, changed));
  const { isQuoted, pcrs } = compareQuotedReplay(
    quote,
    bank,
    new Map([
      [4, changed],
      [15, changed],
    ]),
  );
  assert.ok(isQuoted);
  const odd = pcrs.filter(({ outcome }) => outcome !== 'match');
  assert.deepEqual(odd, [
    { pcr: 4, outcome: 'mismatch' },
    { pcr: 15, outcome: 'unexplained' },
  ]);
});

test('a stated value of another length, or a replay of another bank, is not quoted', () => {
  const quote = quoteOf(bank.pcrs);
  assert.equal(compareQuotedReplay(quote, bank, new Map([[15, Buffer.alloc(20)]])).isQuoted, false);
  const sha1 = replayEventLog(parseEventLog(encodeEventLog(boot, ['sha1']))).get('sha1') ?? assert.fail();
  assert.equal(compareQuotedReplay(quote, sha1, new Map()).isQuoted, false);
});
