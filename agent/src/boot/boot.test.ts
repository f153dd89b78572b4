import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import { collectBootClaims, readEventLog } from './boot-claims.ts';
import { collectImaClaims, ImaReader } from './ima-claims.ts';
import { findImaEntry } from './ima-log.ts';
import { listLoggedPcrs } from './logged-pcrs.ts';

const LIST = '/sys/kernel/security/ima/binary_runtime_measurements';
const u32 = (...values: number[]) =>
  Buffer.concat(values.map((value) => Buffer.of(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24)));
const u16 = (...values: number[]) => Buffer.concat(values.map((value) => Buffer.of(value & 255, value >> 8)));

function imaEntry(template: string, data: Buffer): Buffer {
  const body =
    template === 'ima'
      ? Buffer.concat([Buffer.alloc(20, 1), u32(data.length), data])
      : Buffer.concat([u32(data.length), data]);
  return Buffer.concat([u32(10), Buffer.alloc(20, 7), u32(template.length), Buffer.from(template), body]);
}

function legacyEvent(pcr: number, type: number, data: Buffer): Buffer {
  return Buffer.concat([u32(pcr, type), Buffer.alloc(20, type === 3 ? 0 : 3), u32(data.length), data]);
}

function agileEvent(pcr: number, type: number, data: Buffer): Buffer {
  const digests = Buffer.concat([u16(4), Buffer.alloc(20), u16(0x0b), Buffer.alloc(32)]);
  return Buffer.concat([u32(pcr, type, 2), digests, u32(data.length), data]);
}

const specId = Buffer.concat([
  Buffer.from('Spec ID Event03\0'),
  Buffer.alloc(8),
  u32(2),
  u16(4, 20, 0x0b, 32),
  Buffer.of(0),
]);
const variable = Buffer.concat([Buffer.alloc(16), u32(1, 0, 1, 0), Buffer.from('A\0'), Buffer.of(1)]);
const spans = [
  legacyEvent(0, 3, specId),
  agileEvent(0, 8, Buffer.from('firmware')),
  agileEvent(7, 0x80000001, variable),
  agileEvent(14, 3, Buffer.from('no action')),
  agileEvent(4, 0x80000003, Buffer.alloc(32, 5)),
];
const agileLog = Buffer.concat(spans);

test('the PCRs of an event log are listed, events that extend nothing left out', () => {
  assert.deepEqual(
    [...listLoggedPcrs(agileLog)].sort((a, b) => a - b),
    [0, 4, 7],
  );
});

test('a log without digests of the quoted bank explains nothing', () => {
  const sha1Only = Buffer.concat([legacyEvent(5, 13, Buffer.alloc(3)), legacyEvent(2, 4, Buffer.alloc(4))]);
  assert.equal(listLoggedPcrs(sha1Only).size, 0);
});

test('a log that is cut off, flipped or random never throws, and explains nothing where a Verifier would refuse it', () => {
  const ends = new Set(spans.map((_, count) => Buffer.concat(spans.slice(0, count + 1)).length));
  for (let size = 0; size < agileLog.length; size += 1) {
    const pcrs = listLoggedPcrs(agileLog.subarray(0, size));
    if (!ends.has(size)) assert.equal(pcrs.size, 0, `${size}`);
  }
  for (let bit = 0; bit < agileLog.length * 8; bit += 1) {
    const flipped = Buffer.from(agileLog);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    listLoggedPcrs(flipped);
  }
  assert.equal(listLoggedPcrs(Buffer.alloc(500, 0xff)).size, 0);
  assert.equal(listLoggedPcrs(Buffer.alloc(0)).size, 0);
});

test('boot claims name the log by its digest and say what the firmware says', () => {
  const variable = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
  const files = new FakeHostFiles({
    '/sys/kernel/security/tpm0/binary_bios_measurements': agileLog,
    [variable]: Buffer.of(6, 0, 0, 0, 1),
  });
  const log = readEventLog(files);
  assert.deepEqual(collectBootClaims(files, log), {
    type: 'boot',
    eventLog: hash('sha256', agileLog),
    eventLogBytes: agileLog.length,
    secureBoot: true,
  });
  const off = new FakeHostFiles({ [variable]: Buffer.of(6, 0, 0, 0, 0) });
  assert.deepEqual(collectBootClaims(off, readEventLog(off)), {
    type: 'boot',
    eventLog: null,
    eventLogBytes: 0,
    secureBoot: false,
  });
  const odd = new FakeHostFiles({ [variable]: Buffer.of(1) });
  assert.equal(collectBootClaims(odd, undefined).secureBoot, null);
});

const entries = [
  imaEntry('ima-ng', Buffer.from('boot_aggregate')),
  imaEntry('ima', Buffer.from('/init')),
  imaEntry('ima-sig', Buffer.alloc(300, 5)),
];
const list = Buffer.concat(entries);

test('IMA entries are found by their lengths, whole ones only', () => {
  let at = 0;
  for (const entry of entries) {
    assert.equal(findImaEntry(list, at)?.size, entry.length);
    at += entry.length;
  }
  assert.equal(findImaEntry(list, at), undefined);
  for (const entry of entries) {
    for (let size = 0; size < entry.length; size += 1)
      assert.equal(findImaEntry(entry.subarray(0, size), 0), undefined);
  }
  assert.equal(findImaEntry(Buffer.alloc(200, 0xff), 0), undefined);
});

test('entries of every template are parted the same way', () => {
  for (const template of ['ima', 'ima-ng', 'ima-sig', 'ima-ngv2', 'ima-sigv2', 'ima-buf', 'ima-modsig', 'd-ng|n-ng']) {
    const one = imaEntry(template, Buffer.alloc(77, 1));
    assert.deepEqual(findImaEntry(Buffer.concat([one, list]), 0), { template, size: one.length });
    const reader = new ImaReader(new FakeHostFiles({ [LIST]: Buffer.concat([one, one, list]) }));
    assert.deepEqual(reader.read(1)?.content, Buffer.concat([one, list]));
    assert.equal(reader.read(1)?.next, 5);
  }
});

test('segments begin at the entry that was asked for and end with the last whole one', () => {
  const reader = new ImaReader(new FakeHostFiles({ [LIST]: list }));
  assert.deepEqual(reader.read(0), { offset: 0, content: list, next: 3 });
  const second = entries[0]?.length ?? 0;
  assert.deepEqual(reader.read(1), { offset: 1, content: list.subarray(second), next: 3 });
  assert.equal(reader.read(3), undefined);
  assert.equal(reader.read(99), undefined);
  assert.equal(new ImaReader(new FakeHostFiles({})).read(0), undefined);
});

test('a long list is cut into segments that join to the whole', () => {
  const long = Buffer.concat(Array.from({ length: 9_000 }, (_, at) => imaEntry('ima-ng', Buffer.alloc(600, at & 255))));
  const reader = new ImaReader(new FakeHostFiles({ [LIST]: long }));
  const parts: Buffer[] = [];
  let next = 0;
  for (let segment = reader.read(0); segment !== undefined; segment = reader.read(next)) {
    assert.equal(segment.offset, next);
    assert.ok(segment.content.length <= 2 * 1024 * 1024);
    parts.push(segment.content);
    next = segment.next;
  }
  assert.equal(next, 9_000);
  assert.ok(parts.length > 1);
  assert.ok(Buffer.concat(parts).equals(long));
});

test('IMA claims tell whether the kernel measures, by which template and policy', () => {
  const files = new FakeHostFiles({ [LIST]: list, '/sys/kernel/security/ima/policy': 'measure func=BPRM_CHECK\n' });
  const agent = {
    root: '/opt/holdfast',
    executable: { path: '/opt/holdfast/bin/node', sha256: '0'.repeat(64) },
    main: null,
    modules: [],
  };
  assert.deepEqual(collectImaClaims(files, agent), {
    type: 'ima',
    active: true,
    template: 'ima-ng',
    policy: hash('sha256', 'measure func=BPRM_CHECK\n'),
    agent,
  });
  assert.deepEqual(collectImaClaims(new FakeHostFiles({}), agent), {
    type: 'ima',
    active: false,
    template: null,
    policy: null,
    agent: null,
  });
});
