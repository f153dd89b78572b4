import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeEventLog, encodeVariable, firmwareEvents, separatorEvent } from '../testing/event-log-fixture.test.ts';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { readVector, sharedVectors, skipWithoutShared } from '../testing/vectors.test.ts';
import { readBootFacts } from './boot-facts.ts';
import { EVENT_TYPE } from './event-type.ts';
import { parseEventLog } from './parse-event-log.ts';
import { replayEventLog } from './replay-event-log.ts';

/** PCR 0 that TPMs of these machines have; the yaml of tpm2_eventlog 5.4 extends EV_NO_ACTION and knows no locality. */
const PCR0_OF_TPM: Record<string, Record<string, string>> = {
  'glinux-alex': {
    sha1: '29d236609a5f9cc6912af44ba5f57b13a17c8a84',
    sha256: '0e5ea849d7647a1ac1becc096fee4df98f00f8015f934afadaab0b8aa20b38a5',
  },
  eventlogwithsp800155: {
    sha1: 'd0a51b47f9a0dfef1bc16d318d0b5bc5687fd602',
    sha256: 'd0c70a9310cd0b55767084333022ce53f42befbb69c059ee6c0a32766f160783',
    sha384: '3db0db543323f57b97895f55053129b87c083ef11559eede3a1a4c33a79c0e54ed1c14f2a767a38a51fdbacbefc7014f',
  },
};

type Table = Record<string, Record<string, string>>;

function parseYaml(text: string): Table {
  const table: Table = {};
  let bank: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const name = /^ {2}(\w+):$/.exec(line)?.[1];
    if (name !== undefined) {
      bank = {};
      table[name] = bank;
    }
    const [, pcr, value] = /^ +(\d+) *: 0x([0-9a-f]+)$/.exec(line) ?? [];
    if (pcr !== undefined && value !== undefined) bank[pcr] = value;
  }
  return table;
}

function replay(bytes: Buffer): Table {
  const banks = replayEventLog(parseEventLog(bytes));
  return Object.fromEntries(
    [...banks].map(([name, { pcrs }]) => [
      name,
      Object.fromEntries([...pcrs].map(([pcr, value]) => [String(pcr), value.toString('hex')])),
    ]),
  );
}

function checkLog(name: string, bytes: Buffer, yaml: string): void {
  if (yaml === '') {
    assert.throws(() => parseEventLog(bytes), evidenceError('ERR_EVIDENCE_MALFORMED'));
    return;
  }
  const expected = parseYaml(yaml);
  for (const [bank, value] of Object.entries(PCR0_OF_TPM[name] ?? {})) expected[bank] = { ...expected[bank], 0: value };
  assert.deepEqual(replay(bytes), expected);
}

for (const name of ['glinux-alex', 'cos-85-amd-sev', 'debian-10', 'eventlogwithsp800155', 'short-no-action']) {
  test(`the log of ${name} replays to the PCRs of its TPM, or is refused`, () => {
    checkLog(name, readVector(`event-logs/${name}.bin`), readVector(`event-logs/${name}.pcrs.yaml`).toString());
  });
}

test('every log beside the checkout replays or is refused', { skip: skipWithoutShared }, () => {
  const folder = join(sharedVectors ?? '', 'event-logs');
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.bin'))) {
    const name = file.slice(0, -4);
    checkLog(name, readFileSync(join(folder, file)), readFileSync(join(folder, `${name}.pcrs.yaml`), 'utf8'));
  }
});

function readPcrs(text: string): Map<number, string> {
  const [, bank = ''] = /sha256:\n([\s\S]*?)\n {2}\w/.exec(text) ?? [];
  return new Map(
    [...bank.matchAll(/(\d+) *: 0x([0-9A-F]+)/g)].map(([, pcr, value]) => [Number(pcr), value?.toLowerCase() ?? '']),
  );
}

function checkBoot(log: Buffer, pcrs: string): void {
  const values = readPcrs(pcrs);
  const banks = replay(log);
  for (let pcr = 0; pcr < 16; pcr += 1) {
    if (pcr !== 10) assert.equal(banks['sha256']?.[pcr] ?? '00'.repeat(32), values.get(pcr), `PCR ${pcr}`);
  }
}

for (const name of ['plain-uki', 'secureboot-snakeoil']) {
  test(`the log of the boot ${name} replays to the PCRs that were read`, () => {
    const folder = `measured-boot/${name}`;
    checkBoot(readVector(`${folder}/binary_bios_measurements`), readVector(`${folder}/pcrs.txt`).toString());
  });
}

test('every recorded boot beside the checkout replays', { skip: skipWithoutShared }, () => {
  const folder = join(sharedVectors ?? '', 'measured-boot');
  for (const name of readdirSync(folder)) {
    const pcrs = readFileSync(join(folder, name, 'pcrs.txt'), 'utf8');
    checkBoot(readFileSync(join(folder, name, 'binary_bios_measurements')), pcrs);
  }
});

test('each bank of a list of banks is replayed', () => {
  const banks = replay(encodeEventLog(firmwareEvents(true), ['sha1', 'sha256', 'sha384']));
  assert.deepEqual(Object.keys(banks), ['sha1', 'sha256', 'sha384']);
  assert.equal(banks['sha384']?.[1]?.length, 96);
});

test('a bank that cannot be computed is parsed and left out of the replay', () => {
  const bytes = encodeEventLog(firmwareEvents(true), ['sha256', 'sha384']);
  const other = Buffer.from(bytes.toString('latin1').replaceAll('\x0c\x00', '\x99\x00'), 'latin1');
  assert.deepEqual(Object.keys(replay(other)), ['sha256']);
});

test('the startup locality changes PCR 0 only, and only when it stands before the first measurement', () => {
  const locality = (value: number) => ({
    pcr: 0,
    type: EVENT_TYPE.EV_NO_ACTION,
    data: Buffer.concat([Buffer.from('StartupLocality\0'), Buffer.of(value)]),
  });
  const plain = replay(encodeEventLog(firmwareEvents(true)))['sha256'] ?? {};
  const third = replay(encodeEventLog([locality(3), ...firmwareEvents(true)]))['sha256'] ?? {};
  assert.notEqual(third[0], plain[0]);
  assert.equal(third[1], plain[1]);
  assert.deepEqual(replay(encodeEventLog([...firmwareEvents(true), locality(3)]))['sha256'], plain);
  const hcrtm = { pcr: 0, type: EVENT_TYPE.EV_EFI_HCRTM_EVENT, data: Buffer.from('HCRTM') };
  const measured = replay(encodeEventLog([hcrtm, ...firmwareEvents(true)]))['sha256']?.[0];
  assert.equal(measured, replay(encodeEventLog([locality(4), hcrtm, ...firmwareEvents(true)]))['sha256']?.[0]);
});

test('whole empty events behind the last are padding, a part of one is refused', () => {
  const bytes = encodeEventLog(firmwareEvents(true));
  const log = parseEventLog(Buffer.concat([bytes, Buffer.alloc(1024)]));
  assert.equal(log.paddingBytes, 1024);
  const part = Buffer.concat([bytes, Buffer.alloc(1000)]);
  assert.throws(() => parseEventLog(part), evidenceError('ERR_EVIDENCE_MALFORMED'));
  assert.deepEqual(log.events.length, parseEventLog(bytes).events.length);
});

test('an EV_NO_ACTION of no PCR is kept, any other event of none is refused', () => {
  const of = (type: number) => encodeEventLog([{ pcr: 0xffffffff, type, data: Buffer.alloc(4) }]);
  assert.equal(parseEventLog(of(EVENT_TYPE.EV_NO_ACTION)).events[1]?.pcr, null);
  assert.throws(() => parseEventLog(of(EVENT_TYPE.EV_SEPARATOR)), evidenceError('ERR_EVIDENCE_MALFORMED'));
  assert.throws(() => parseEventLog(encodeEventLog([separatorEvent(32)])), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

test('bodies that are too short or not of the form of their type are refused', () => {
  const short = [
    { pcr: 7, type: EVENT_TYPE.EV_EFI_VARIABLE_DRIVER_CONFIG, data: Buffer.alloc(31) },
    { pcr: 7, type: EVENT_TYPE.EV_EFI_VARIABLE_AUTHORITY, data: encodeVariable('db', Buffer.alloc(9)).subarray(0, -1) },
    { pcr: 7, type: EVENT_TYPE.EV_EFI_VARIABLE_BOOT, data: encodeVariable('\ud800', Buffer.alloc(0)) },
    { pcr: 4, type: EVENT_TYPE.EV_EFI_BOOT_SERVICES_APPLICATION, data: Buffer.alloc(31) },
    { pcr: 0, type: EVENT_TYPE.EV_S_CRTM_CONTENTS, data: Buffer.alloc(15) },
    { pcr: 0, type: EVENT_TYPE.EV_EFI_HCRTM_EVENT, data: Buffer.from('hcrtm') },
  ];
  for (const event of short) {
    assert.throws(
      () => parseEventLog(encodeEventLog([event])),
      evidenceError('ERR_EVIDENCE_MALFORMED'),
      String(event.type),
    );
  }
});

test('bad lists of banks are refused', () => {
  const good = encodeEventLog([], ['sha1', 'sha256']);
  const at = good.indexOf(Buffer.from('040014', 'hex'));
  const change = (offset: number, value: number) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt16LE(value, at + offset);
    return bytes;
  };
  const countAt = (value: number) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt32LE(value, at - 4);
    return bytes;
  };
  for (const bytes of [change(2, 21), change(4, 4), countAt(0), countAt(3), countAt(17), good.subarray(0, 33)]) {
    assert.throws(() => parseEventLog(bytes), evidenceError('ERR_EVIDENCE_MALFORMED'));
  }
});

test('a log that begins with another EV_NO_ACTION, or is empty, is refused', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from(encodeEventLog([])).fill('X', 32, 48)]) {
    assert.throws(() => parseEventLog(bytes), evidenceError('ERR_EVIDENCE_MALFORMED'));
  }
});

test('a log that is too long is refused by its length', () => {
  assert.throws(() => parseEventLog(Buffer.alloc(16 * 1024 * 1024 + 1)), evidenceError('ERR_EVIDENCE_LIMIT'));
});

test('hostile bytes end in EvidenceError only, facts included', () => {
  const read = (bytes: Buffer) => readBootFacts(parseEventLog(bytes));
  const small = encodeEventLog(firmwareEvents(true));
  assertSurvivesHostileBytes(read, small, { allowPrefix: true, flipStep: 3 });
  const recorded = readVector('measured-boot/plain-uki/binary_bios_measurements');
  assertSurvivesHostileBytes(parseEventLog, recorded, { allowPrefix: true });
  assertSurvivesHostileBytes(parseEventLog, readVector('event-logs/debian-10.bin'), {
    allowPrefix: true,
    flipStep: 97,
  });
});
