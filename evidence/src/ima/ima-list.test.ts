import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertSurvivesHostileBytes, evidenceError } from '../testing/foreign-bytes.test.ts';
import { SimulatedTpm } from '../testing/simulated-tpm.test.ts';
import { readVector, sharedVectors, skipWithoutShared } from '../testing/vectors.test.ts';
import { PROFILE_SELECTIONS } from '../token/quote-binding.ts';
import type { HashAlgorithm } from '../tpm/algorithm.ts';
import { verifyQuote } from '../tpm/quote.ts';
import { isImaViolation } from './ima-entry.ts';
import { matchBootAggregate, summariseIma } from './ima-summary.ts';
import { readImaMeasurement } from './ima-template.ts';
import { parseImaList } from './parse-ima-list.ts';
import { judgeImaHistory, matchImaPrefix, readQuotedIma, replayIma, startImaReplay } from './replay-ima.ts';

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const sized = (field: Buffer) => Buffer.concat([u32(field.length), field]);
const digestNg = (algorithm: string, digest: Buffer) => Buffer.concat([Buffer.from(`${algorithm}:\0`), digest]);
const sha256 = Buffer.alloc(32, 0xaa);
const path = Buffer.from('/usr/bin/x\0');

interface Written {
  readonly pcr?: number;
  readonly isViolation?: boolean;
  readonly isForged?: boolean;
}

/** A binary entry as the kernel writes it. */
function encodeEntry(template: string, fields: Buffer[], { pcr = 10, isViolation, isForged }: Written = {}): Buffer {
  const data = Buffer.concat(fields.map(sized));
  const [digest = Buffer.alloc(20), name = Buffer.alloc(0)] = fields;
  const isOld = template === 'ima';
  const hashed = isOld ? Buffer.concat([digest, name, Buffer.alloc(256 - name.length)]) : data;
  const templateDigest =
    isViolation === true ? Buffer.alloc(20) : hash('sha1', isForged === true ? path : hashed, 'buffer');
  const body = isOld ? Buffer.concat([digest, sized(name)]) : sized(data);
  return Buffer.concat([u32(pcr), templateDigest, sized(Buffer.from(template)), body]);
}

const ng = (fill: number, options?: Written) =>
  encodeEntry('ima-ng', [digestNg('sha256', Buffer.alloc(32, fill)), path], options);

const templates: Record<string, Buffer[]> = {
  ima: [Buffer.alloc(20, 1), Buffer.from('/usr/bin/x')],
  'ima-ng': [digestNg('sha256', sha256), path],
  'ima-sig': [digestNg('sha256', sha256), path, Buffer.from('0302', 'hex')],
  'ima-ngv2': [digestNg('ima:sha256', sha256), path],
  'ima-sigv2': [digestNg('verity:sha256', sha256), path, Buffer.alloc(0)],
  'ima-buf': [digestNg('sha256', sha256), Buffer.from('kexec-cmdline\0'), Buffer.from('quiet')],
  'ima-modsig': [
    digestNg('sha256', sha256),
    path,
    Buffer.alloc(0),
    digestNg('sha256', sha256),
    Buffer.from('3082', 'hex'),
  ],
  'evm-sig': [
    digestNg('sha256', sha256),
    path,
    Buffer.from('0502', 'hex'),
    Buffer.from('security.selinux|security.ima\0'),
    Buffer.from('0200000001000000', 'hex'),
    Buffer.from('abcdef', 'hex'),
    Buffer.from('e8030000', 'hex'),
    Buffer.from('ffffffff', 'hex'),
    Buffer.from('ed81', 'hex'),
  ],
  'd-ng|n-ng|sig': [digestNg('sha512', Buffer.alloc(64)), path, Buffer.alloc(0)],
  'd-ng|n-ng|xattrnames|iuid|imode': [
    digestNg('sha256', sha256),
    path,
    Buffer.alloc(0),
    Buffer.alloc(0),
    Buffer.from('0000', 'hex'),
  ],
};
const ascii: Record<string, string> = {
  ima: `${'01'.repeat(20)} /usr/bin/x`,
  'ima-ng': `sha256:${'aa'.repeat(32)} /usr/bin/x`,
  'ima-sig': `sha256:${'aa'.repeat(32)} /usr/bin/x 0302`,
  'ima-ngv2': `ima:sha256:${'aa'.repeat(32)} /usr/bin/x`,
  'ima-sigv2': `verity:sha256:${'aa'.repeat(32)} /usr/bin/x `,
  'ima-buf': `sha256:${'aa'.repeat(32)} kexec-cmdline 7175696574`,
  'ima-modsig': `sha256:${'aa'.repeat(32)} /usr/bin/x  sha256:${'aa'.repeat(32)} 3082`,
  'evm-sig': `sha256:${'aa'.repeat(32)} /usr/bin/x 0502 security.selinux|security.ima 0200000001000000 abcdef 1000 4294967295 33261`,
  'd-ng|n-ng|sig': `sha512:${'00'.repeat(64)} /usr/bin/x `,
  'd-ng|n-ng|xattrnames|iuid|imode': `sha256:${'aa'.repeat(32)} /usr/bin/x   0`,
};
for (const [template, fields] of Object.entries(templates)) {
  test(`an entry of template ${template} reads the same in binary and ASCII`, () => {
    const [entry] = parseImaList(encodeEntry(template, fields));
    if (entry === undefined) assert.fail();
    assert.deepEqual(entry.fields, fields);
    assert.deepEqual(hash('sha1', entry.hashed, 'buffer'), entry.templateDigest);
    const line = `10 ${entry.templateDigest.toString('hex')} ${template} ${ascii[template]}\n`;
    assert.deepEqual(parseImaList(Buffer.from(line)), [entry]);
    assert.deepEqual(summariseIma([entry]).mismatches, 0);
    assert.match(readImaMeasurement(entry)?.path.toString() ?? '', /^(?:\/usr\/bin\/x|kexec-cmdline)$/);
  });
}

test('a PCR of one digit is filled up with a space in ASCII, and read with it and without', () => {
  const [entry] = parseImaList(encodeEntry('ima-ng', templates['ima-ng'] ?? [], { pcr: 9 }));
  const rest = `${entry?.templateDigest.toString('hex')} ima-ng ${ascii['ima-ng']}\n`;
  for (const line of [` 9 ${rest}`, `9 ${rest}`]) assert.deepEqual(parseImaList(Buffer.from(line)), [entry]);
  const after = `10 ${rest} 9 ${rest}`;
  assert.deepEqual(
    parseImaList(Buffer.from(after)).map(({ pcr }) => pcr),
    [10, 9],
  );
  for (const line of [`10 ${rest}  9 ${rest}`, `10 ${rest} 10 ${rest}`]) {
    assert.throws(() => parseImaList(Buffer.from(line)), evidenceError('ERR_EVIDENCE_MALFORMED'));
  }
});

test('numbers of ASCII entries fit their fields', () => {
  const list = (iuid: string, imode: string) =>
    Buffer.from(`10 ${'00'.repeat(20)} d-ng|n-ng|iuid|imode sha1:${'00'.repeat(20)} /x ${iuid} ${imode}\n`);
  assert.equal(parseImaList(list('4294967295', '65535')).length, 1);
  for (const [iuid, imode] of [
    ['4294967296', '0'],
    ['0', '65536'],
    ['01', '0'],
    ['-1', '0'],
    ['0x1', '0'],
    ['1e3', '0'],
  ] as const) {
    assert.throws(() => parseImaList(list(iuid, imode)), evidenceError('ERR_EVIDENCE_MALFORMED'), iuid);
  }
});

test('algorithm, digest, kind and third field of an entry are read', () => {
  const read = (template: string) =>
    readImaMeasurement(parseImaList(encodeEntry(template, templates[template] ?? []))[0] ?? assert.fail());
  assert.deepEqual(read('ima-sigv2'), {
    path: Buffer.from('/usr/bin/x'),
    algorithm: 'sha256',
    digest: sha256,
    digestType: 'verity',
    extra: null,
  });
  assert.equal(read('ima-sig')?.extra?.toString('hex'), '0302');
  assert.equal(read('ima')?.algorithm, 'sha1');
  const [unknown] = parseImaList(encodeEntry('evm-custom', [Buffer.from('x')]));
  assert.equal(readImaMeasurement(unknown ?? assert.fail()), null);
  const [broken] = parseImaList(encodeEntry('ima-ng', [Buffer.from('nonsense'), path]));
  assert.throws(() => readImaMeasurement(broken ?? assert.fail()), evidenceError('ERR_EVIDENCE_MALFORMED'));
});

const boot = 'measured-boot/plain-uki';
const recorded = parseImaList(readVector(`${boot}/ima_after`));
const pcrs = new Map(
  [...(readVector(`${boot}/pcrs.txt`).toString().split('sha256:')[1] ?? '').matchAll(/(\d+) *: 0x([0-9A-F]{64})/g)].map(
    ([, pcr, value]) => [Number(pcr), Buffer.from(value ?? '', 'hex')],
  ),
);
const quoted = pcrs.get(10) ?? assert.fail();
const isQuoted = (value: Buffer) => value.equals(quoted);

test('a recorded list after the quote has a prefix with the quoted PCR 10, the list before it has none', () => {
  const after = matchImaPrefix(startImaReplay('sha256'), recorded, isQuoted);
  assert.equal(after?.matchedPrefix, 47);
  assert.equal(after?.form, 'native');
  const before = parseImaList(readVector(`${boot}/ima_before`));
  assert.equal(matchImaPrefix(startImaReplay('sha256'), before, isQuoted), undefined);
});

test('the recorded ASCII list replays to the same PCR 10', () => {
  assert.equal(
    matchImaPrefix(startImaReplay('sha256'), parseImaList(readVector(`${boot}/ima_ascii`)), isQuoted)?.matchedPrefix,
    47,
  );
});

test('every recorded boot beside the checkout matches', { skip: skipWithoutShared }, () => {
  const folder = join(sharedVectors ?? '', 'measured-boot');
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name, 'pcrs.txt'), 'utf8').split('sha256:')[1] ?? '';
    const value = Buffer.from(/10 *: 0x([0-9A-F]{64})/.exec(text)?.[1] ?? '', 'hex');
    const list = parseImaList(readFileSync(join(folder, name, 'ima_after')));
    assert.ok(matchImaPrefix(startImaReplay('sha256'), list, (pcr10) => pcr10.equals(value)) !== undefined, name);
  }
});

test('ASCII lists of other digest algorithms parse, unknown ones too', { skip: skipWithoutShared }, () => {
  const folder = join(sharedVectors ?? '', 'ima');
  for (const name of readdirSync(folder)) assert.equal(parseImaList(readFileSync(join(folder, name))).length, 2, name);
});

test('a list with digests of another algorithm parses from the checkout alone', () => {
  const [, entry] = parseImaList(readVector('ima/ima-log-sm3_256'));
  assert.equal(readImaMeasurement(entry ?? assert.fail())?.algorithm, 'sm3_256');
  assert.equal(summariseIma(parseImaList(readVector('ima/ima-log-sha256'))).mismatches, 0);
});

test('the boot aggregate is that of the PCRs, and no other', () => {
  assert.equal(matchBootAggregate(recorded, { sha256: pcrs }), true);
  assert.equal(matchBootAggregate(recorded, { sha256: new Map(pcrs).set(4, Buffer.alloc(32)) }), false);
  const missing = new Map(pcrs);
  missing.delete(0);
  for (const banks of [{}, { sha256: missing }, { sha1: pcrs }])
    assert.equal(matchBootAggregate(recorded, banks), null);
  assert.equal(matchBootAggregate([], { sha256: pcrs }), null);
  assert.equal(matchBootAggregate(recorded.slice(1), { sha256: pcrs }), null);
});

test('what stands behind the matched prefix is not covered', () => {
  const more = [...recorded, ...parseImaList(ng(1))];
  assert.equal(matchImaPrefix(startImaReplay('sha256'), more, isQuoted)?.matchedPrefix, 47);
});

test('one entry left out, changed, swapped or put in front has no matching prefix', () => {
  const [first, second, third] = recorded;
  if (first === undefined || second === undefined || third === undefined) assert.fail();
  const changed = { ...second, hashed: Buffer.concat([second.hashed, Buffer.of(0)]) };
  for (const list of [
    recorded.slice(1),
    recorded.with(1, changed),
    recorded.with(1, third).with(2, second),
    [first, ...recorded],
  ]) {
    assert.equal(matchImaPrefix(startImaReplay('sha256'), list, isQuoted), undefined);
  }
});

test('a violation extends ones and is counted; hiding it by another digest does not replay', () => {
  const bytes = Buffer.concat([ng(1), ng(2, { isViolation: true })]);
  const entries = parseImaList(bytes);
  assert.deepEqual(entries.map(isImaViolation), [false, true]);
  assert.equal(summariseIma(entries).violations, 1);
  const one = replayIma(startImaReplay('sha256'), entries.slice(0, 1)).values.native;
  const expected = hash('sha256', Buffer.concat([one, Buffer.alloc(32, 0xff)]), 'buffer');
  assert.deepEqual(replayIma(startImaReplay('sha256'), entries).values.native, expected);
  const hidden = parseImaList(Buffer.concat([ng(1), ng(2)]));
  assert.notDeepEqual(replayIma(startImaReplay('sha256'), hidden).values.native, expected);
});

test('every bank replays natively and with SHA-1 padded by zeros', () => {
  const [entry] = parseImaList(ng(1));
  if (entry === undefined) assert.fail();
  const sha1 = hash('sha1', entry.hashed, 'buffer');
  for (const [bank, bytes] of [
    ['sha1', 20],
    ['sha256', 32],
    ['sha384', 48],
    ['sha512', 64],
  ] satisfies [HashAlgorithm, number][]) {
    const { values } = replayIma(startImaReplay(bank), [entry]);
    const extend = (digest: Buffer) => hash(bank, Buffer.concat([Buffer.alloc(bytes), digest]), 'buffer');
    assert.deepEqual(values.native, extend(hash(bank, entry.hashed, 'buffer')));
    assert.deepEqual(values.sha1Padded, extend(Buffer.concat([sha1, Buffer.alloc(bytes - 20)])));
    const match = matchImaPrefix(startImaReplay(bank), [entry], (value) => value.equals(values.sha1Padded));
    assert.equal(match?.form, bank === 'sha1' ? 'native' : 'sha1Padded');
  }
});

test('an empty list matches a PCR 10 of zero, which proves that IMA never ran', () => {
  const match = matchImaPrefix(startImaReplay('sha256'), [], (value) => value.every((byte) => byte === 0));
  assert.equal(match?.matchedPrefix, 0);
});

test('entries of another PCR count and extend nothing', () => {
  const entries = parseImaList(Buffer.concat([ng(1), ng(2, { pcr: 11 })]));
  const state = replayIma(startImaReplay('sha256'), entries);
  assert.equal(state.entries, 2);
  assert.deepEqual(state.values, replayIma(startImaReplay('sha256'), entries.slice(0, 1)).values);
});

test('segments replay to the same as the whole', () => {
  let state = startImaReplay('sha256');
  for (let at = 0; at < recorded.length; at += 10) state = replayIma(state, recorded.slice(at, at + 10));
  assert.deepEqual(state, replayIma(startImaReplay('sha256'), recorded));
  const first = replayIma(startImaReplay('sha256'), recorded.slice(0, 20));
  const match = matchImaPrefix(first, recorded.slice(20), isQuoted);
  assert.equal(match?.matchedPrefix, 27);
  assert.equal(match?.state.entries, 47);
});

test('a list that shrinks, forks or goes on is told apart', () => {
  const known = replayIma(startImaReplay('sha256'), recorded.slice(0, 20));
  assert.equal(judgeImaHistory(known, recorded), 'continues');
  assert.equal(judgeImaHistory(known, recorded.slice(0, 20)), 'continues');
  assert.equal(judgeImaHistory(known, recorded.slice(0, 19)), 'shrunk');
  assert.equal(judgeImaHistory(known, recorded.with(3, recorded[4] ?? assert.fail())), 'forked');
});

test('a verified quote of PCR 10 is matched by its digest', () => {
  const tpm = new SimulatedTpm();
  tpm.pcrs.set(10, Buffer.from(quoted));
  const [boots, ima] = PROFILE_SELECTIONS;
  const quoteOf = (selection: typeof ima) => {
    const expected = { key: tpm.ak.publicKey, qualifyingData: Buffer.alloc(32), selection };
    return verifyQuote(tpm.quote(expected.qualifyingData, selection), expected);
  };
  const isQuoted = readQuotedIma(quoteOf(ima), 'sha256') ?? assert.fail();
  assert.equal(matchImaPrefix(startImaReplay('sha256'), recorded, isQuoted)?.matchedPrefix, 47);
  assert.equal(readQuotedIma(quoteOf(boots), 'sha256'), undefined);
  assert.equal(readQuotedIma(quoteOf(ima), 'sha1'), undefined);
});

test('an entry whose template digest is not the hash of its data is counted', () => {
  assert.equal(summariseIma(parseImaList(Buffer.concat([ng(1), ng(2, { isForged: true })]))).mismatches, 1);
});

const bad: Record<string, Buffer> = {
  'a PCR that does not exist': ng(1, { pcr: 24 }),
  'an empty template name': Buffer.concat([u32(10), Buffer.alloc(20), u32(0)]),
  'a template name with a control character': encodeEntry('ima\n', []),
  'a field beyond the entry': Buffer.concat([u32(10), Buffer.alloc(20), sized(Buffer.from('ima-ng')), sized(u32(9))]),
  'too many fields': encodeEntry(
    'x',
    Array.from({ length: 33 }, () => Buffer.alloc(0)),
  ),
  'a long name in the old template': Buffer.concat([
    u32(10),
    Buffer.alloc(20),
    sized(Buffer.from('ima')),
    Buffer.alloc(20),
    sized(Buffer.alloc(257, 65)),
  ]),
};
for (const [what, bytes] of Object.entries(bad)) {
  test(`a binary list with ${what} is refused`, () => {
    assert.throws(() => parseImaList(bytes), evidenceError('ERR_EVIDENCE_MALFORMED'));
  });
}

test('bad lines of an ASCII list are refused', () => {
  const line = `10 ${'0'.repeat(40)} ima-ng sha256:${'aa'.repeat(32)} /x`;
  parseImaList(Buffer.from(`${line}\n${line}`));
  for (const other of [
    '',
    `${line} more`,
    line.replace('10 ', '24 '),
    line.replace('10 ', 'x '),
    line.replace('ima-ng', 'ima-xx'),
    line.replace('sha256:', ''),
    line.replace('aa', 'ag'),
    line.replace('aa', 'a'),
    line.replace('0'.repeat(40), '0'.repeat(42)),
  ]) {
    assert.throws(
      () => parseImaList(Buffer.from(`${line}\n${other}\n`)),
      evidenceError('ERR_EVIDENCE_MALFORMED'),
      other,
    );
  }
});

test('hostile bytes end in EvidenceError only', () => {
  const use = (bytes: Buffer) => {
    const entries = parseImaList(bytes);
    summariseIma(entries);
    replayIma(startImaReplay('sha256'), entries);
  };
  const small = Buffer.concat(Object.entries(templates).map(([template, fields]) => encodeEntry(template, fields)));
  assertSurvivesHostileBytes(use, small, { allowPrefix: true });
  assertSurvivesHostileBytes(use, readVector(`${boot}/ima_ascii`), { allowPrefix: true, cutStep: 13, flipStep: 61 });
  assertSurvivesHostileBytes(use, readVector('ima/ima-log-sha256'), { allowPrefix: true });
});
