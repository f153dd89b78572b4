import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { runCommandLine } from '../run-command-line.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors');
const shared = join(import.meta.dirname, '../../../../shared/vectors');
const TOOL = 'TPM2_EVENTLOG_REPLAY';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-inspect-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const BOOTS = ['plain-uki', 'secureboot-snakeoil'];
/** With lists that were read before and after. */
const IMA_BOOTS = ['plain-uki'];

async function run(...argv: string[]) {
  const written = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
  };
  const status = await runCommandLine(argv, io, new AbortController().signal);
  assert.doesNotMatch(written.err, /internal error|\n\s+at /);
  return { status, ...written };
}

async function runJson(...argv: string[]) {
  const { status, out } = await run(...argv, '--json');
  return { status, json: out === '' ? undefined : JSON.parse(out) };
}

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const boot = (name: string, file: string) => join(vectors, 'measured-boot', name, file);
const pcr10Of = (name: string) =>
  / 10 ?: 0x([0-9A-F]+)/.exec(readFileSync(boot(name, 'pcrs.txt'), 'utf8').split('sha256:')[1] ?? '')?.[1] ?? '';

suite('inspect eventlog', () => {
  for (const name of BOOTS) {
    test(`${name}: replays to the PCRs that were read`, async () => {
      const { status, json } = await runJson(
        'inspect',
        'eventlog',
        boot(name, 'binary_bios_measurements'),
        '--pcrs',
        boot(name, 'pcrs.txt'),
      );
      assert.equal(status, 0);
      assert.deepEqual(json.algorithms, ['sha256']);
      assert.equal(json.secureBoot, name === 'secureboot-snakeoil');
      assert.deepEqual(json.findings, []);
      for (let pcr = 0; pcr < 24; pcr += 1) {
        const isOurs = pcr < 16 && pcr !== 10;
        assert.equal(json.comparison.sha256[pcr], isOurs ? 'match' : 'notApplicable', `PCR ${pcr}`);
      }
      assert.equal(json.events[4].type, 'EV_EFI_VARIABLE_DRIVER_CONFIG');
      assert.equal(json.events[4].dataVerified, true);
    });
  }

  test('every bank replays to what stands beside the log', async () => {
    for (const log of ['cos-85-amd-sev', 'debian-10', 'glinux-alex', 'eventlogwithsp800155']) {
      const path = join(vectors, 'event-logs', log);
      const { status, json } = await runJson('inspect', 'eventlog', `${path}.bin`, '--pcrs', `${path}.pcrs.yaml`);
      assert.equal(status, 0, log);
      const outcomes = Object.values<Record<string, string>>(json.comparison).flatMap((bank) => Object.entries(bank));
      assert.ok(outcomes.some(([pcr, outcome]) => pcr === '0' && outcome === 'match'));
    }
  });

  test('what only tpm2_eventlog computes is a match with its output, never with values of a TPM', async () => {
    const path = join(vectors, 'event-logs/glinux-alex');
    const printed = await runJson('inspect', 'eventlog', `${path}.bin`, '--pcrs', `${path}.pcrs.yaml`);
    assert.equal(printed.json.comparison.sha256[0], 'match');
    assert.ok(printed.json.quirks.some(({ code, pcr }: { code: string; pcr: number }) => code === TOOL && pcr === 0));
    assert.match(printed.json.pcrs.sha1[0], /^29d23660/);
    const text = readFileSync(`${path}.pcrs.yaml`, 'utf8');
    const read = write('read.txt', text.replace('pcrs:\n', ''));
    const { status, json } = await runJson('inspect', 'eventlog', `${path}.bin`, '--pcrs', read);
    assert.equal(status, 1);
    assert.equal(json.comparison.sha256[0], 'mismatch');
    assert.ok(!json.quirks.some(({ code }: { code: string }) => code === TOOL));
    const other = write('other.yaml', text.replace(/ 7 {2}: 0x..../, ' 7  : 0x0000'));
    assert.equal((await run('inspect', 'eventlog', `${path}.bin`, '--pcrs', other)).status, 1);
  });

  test('gives the kernel command line that the boot loader measured', async () => {
    const { json } = await runJson('inspect', 'eventlog', join(vectors, 'event-logs/cos-85-amd-sev.bin'));
    assert.match(json.kernelCommandLine[0], /^\/syslinux\/vmlinuz\.A init=/);
    assert.equal(json.secureBoot, true);
    assert.equal(json.comparison, undefined);
  });

  test('ends with 1 and names a PCR that differs or that no event explains', async () => {
    const log = boot('plain-uki', 'binary_bios_measurements');
    const text = readFileSync(boot('plain-uki', 'pcrs.txt'), 'utf8');
    const changed = text
      .replace(/ 4 : 0x..../, ' 4 : 0x0000')
      .replace(/ 8 : 0x..../, ' 8 : 0xffff')
      .replace(/ 16: 0x..../, ' 16: 0xffff');
    const pcrs = write('changed.txt', changed);
    const { status, json } = await runJson('inspect', 'eventlog', log, '--pcrs', pcrs);
    assert.equal(status, 1);
    assert.equal(json.comparison.sha256[4], 'mismatch');
    assert.equal(json.comparison.sha256[8], 'unexplained');
    assert.equal(json.comparison.sha256[16], 'notApplicable');
    assert.match((await run('inspect', 'eventlog', log, '--pcrs', pcrs)).out, /no events +unexplained/);
  });

  test('values of a bank that the log lacks are unexplained, and of no common bank undecided', async () => {
    const log = boot('plain-uki', 'binary_bios_measurements');
    const sha384 = `  sha384:\n    0 : 0x${'11'.repeat(48)}\n    10: 0x${'11'.repeat(48)}\n`;
    const both = write(
      'both.txt',
      `${readFileSync(boot('plain-uki', 'pcrs.txt'), 'utf8').split('  sha384')[0]}${sha384}`,
    );
    const { status, json } = await runJson('inspect', 'eventlog', log, '--pcrs', both);
    assert.equal(status, 1);
    assert.deepEqual(json.comparison.sha384, { 0: 'unexplained', 10: 'notApplicable' });
    assert.equal((await run('inspect', 'eventlog', log, '--pcrs', write('other.txt', sha384))).status, 3);
  });

  test('refuses with 3 what is no log, a cut one, and one that cannot be replayed', async () => {
    const whole = readFileSync(boot('plain-uki', 'binary_bios_measurements'));
    const refused = [
      join(vectors, 'event-logs/short-no-action.bin'),
      boot('plain-uki', 'pcrs.txt'),
      write('cut.bin', whole.subarray(0, -1)),
      write('empty.bin', ''),
      folder,
    ];
    for (const path of refused) assert.equal((await run('inspect', 'eventlog', path)).status, 3, path);
    const log = boot('plain-uki', 'binary_bios_measurements');
    assert.equal((await run('inspect', 'eventlog', log, '--pcrs', log)).status, 3);
  });
});

suite('inspect ima', () => {
  for (const name of IMA_BOOTS) {
    test(`${name}: the list of before does not give PCR 10, that of after does`, async () => {
      const pcr10 = pcr10Of(name);
      const before = await runJson('inspect', 'ima', boot(name, 'ima_before'), '--pcr10', pcr10);
      assert.equal(before.status, 1);
      assert.equal(before.json.matchedPrefix, null);
      const afterwards = await runJson('inspect', 'ima', boot(name, 'ima_after'), '--pcr10', pcr10);
      assert.equal(afterwards.status, 0);
      assert.equal(afterwards.json.matchedPrefix, 47);
      assert.equal(afterwards.json.pcr10.sha256, pcr10.toLowerCase());
      assert.deepEqual(afterwards.json.templates, { 'ima-sig': 47 });
      assert.equal(afterwards.json.violations, 0);
    });
  }

  test('a bank other than the default is compared when it is named', async () => {
    const list = boot('plain-uki', 'ima_after');
    const { json } = await runJson('inspect', 'ima', list);
    assert.equal(json.matchedPrefix, null);
    for (const bank of ['sha1', 'sha512']) {
      const { status } = await run('inspect', 'ima', list, '--bank', bank, '--pcr10', json.pcr10[bank]);
      assert.equal(status, 0, bank);
    }
    const padded = await runJson('inspect', 'ima', list, '--bank', 'sha384', '--pcr10', json.pcr10Sha1Padded.sha384);
    assert.equal(padded.json.matchedForm, 'sha1Padded');
  });

  test('wrong flags end with 2, what is no list with 3', async () => {
    const list = boot('plain-uki', 'ima_after');
    for (const flags of [
      ['--bank', 'md5'],
      ['--pcr10', 'zz'],
      ['--pcr10', 'ab'.repeat(20)],
      ['--bank', 'sha1', '--pcr10', 'ab'.repeat(32)],
    ]) {
      assert.equal((await run('inspect', 'ima', list, ...flags)).status, 2, flags.join(' '));
    }
    const cut = write('cut.ima', readFileSync(list).subarray(0, -1));
    for (const path of [cut, boot('plain-uki', 'pcrs.txt'), folder]) {
      assert.equal((await run('inspect', 'ima', path)).status, 3, path);
    }
  });
});

/** The PCRs that a boot's quote covers: replay of its log, and of a prefix of its list. */
async function quotedPcrs(name: string, imaList: string): Promise<string> {
  const { json } = await runJson('inspect', 'eventlog', boot(name, 'binary_bios_measurements'));
  const ima = await runJson('inspect', 'ima', imaList);
  const values: Record<string, string> = {
    ...Object.fromEntries(Array.from({ length: 15 }, (_, pcr) => [pcr, '00'.repeat(32)])),
    ...json.pcrs.sha256,
    10: ima.json.pcr10.sha256,
  };
  const lines = Object.entries(values).map(([pcr, value]) => `  ${pcr}: 0x${value}`);
  return write('quoted.yaml', `sha256:\n${lines.join('\n')}\n`);
}

suite('inspect quote', () => {
  const quote = (name: string) => [
    'inspect',
    'quote',
    '--attest',
    boot(name, 'quote.msg'),
    '--signature',
    boot(name, 'quote.sig'),
    '--ak',
    boot(name, 'ak.pub'),
  ];
  const nonce = ['--nonce', '0123456789abcdef0123456789abcdef'];

  for (const name of IMA_BOOTS) {
    test(`${name}: holds with nonce and replayed PCRs for one prefix of the later list only`, async () => {
      const list = readFileSync(boot(name, 'ima_quote'));
      const valid: number[] = [];
      const ends = [...listEntryEnds(list)];
      for (const [index, end] of ends.entries()) {
        const pcrs = await quotedPcrs(name, write('prefix.ima', list.subarray(0, end)));
        const { status, json } = await runJson(...quote(name), ...nonce, '--pcrs', pcrs);
        if (status === 0) valid.push(index + 1);
        else assert.deepEqual(json.failures, ['PCR_DIGEST_MISMATCH']);
      }
      assert.equal(valid.length, 1);
      const before = await quotedPcrs(name, boot(name, 'ima_before'));
      assert.equal((await run(...quote(name), ...nonce, '--pcrs', before)).status, 1);
    });
  }

  test('holds without anything to compare with, and says what that leaves open', async () => {
    const { status, json } = await runJson(...quote('plain-uki'));
    assert.equal(status, 0);
    assert.deepEqual([json.valid, json.failures, json.clockInfo.resetCount], [true, [], 2]);
    assert.equal(json.extraData, nonce[1]);
    assert.match((await run(...quote('plain-uki'))).out, /VALID[\s\S]*no nonce was given/);
  });

  test('names each thing that is wrong', async () => {
    const message = readFileSync(boot('plain-uki', 'quote.msg'));
    const with_ = (at: number, value: number) => {
      const changed = Buffer.from(message);
      changed.writeUInt8(value, at);
      return write(`changed-${at}.msg`, changed);
    };
    const cases: [string[], string[]][] = [
      [['--nonce', 'aa'], ['NONCE_MISMATCH']],
      [['--ak', boot('secureboot-snakeoil', 'ak.pub')], ['SIGNATURE_INVALID']],
      [['--signature', boot('secureboot-snakeoil', 'quote.sig')], ['SIGNATURE_INVALID']],
      [['--attest', with_(message.length - 1, 0)], ['SIGNATURE_INVALID']],
      [
        ['--attest', with_(0, 0)],
        ['SIGNATURE_INVALID', 'NOT_A_QUOTE'],
      ],
      [['--pcrs', write('few.txt', `sha256:\n 0: 0x${'00'.repeat(32)}\n`)], ['PCR_MISSING']],
    ];
    for (const [flags, failures] of cases) {
      const { status, json } = await runJson(...quote('plain-uki'), ...flags);
      assert.equal(status, 1, flags.join(' '));
      assert.deepEqual(json.failures, failures);
      assert.equal(json.valid, false);
    }
  });

  test('a missing flag ends with 2, what does not parse with 3', async () => {
    assert.equal((await run('inspect', 'quote', '--ak', boot('plain-uki', 'ak.pub'))).status, 2);
    assert.equal((await run(...quote('plain-uki'), '--nonce', 'abc')).status, 2);
    const cut = write('cut.msg', readFileSync(boot('plain-uki', 'quote.msg')).subarray(0, -1));
    for (const flags of [
      ['--attest', cut],
      ['--signature', cut],
      ['--ak', cut],
      ['--pcrs', cut],
    ]) {
      assert.equal((await run(...quote('plain-uki'), ...flags)).status, 3, flags.join(' '));
    }
  });

  test('the quote of a confidential machine holds with its RSA key', async () => {
    const { tpm_quote: signed, ak_public: key } = JSON.parse(
      readFileSync(join(vectors, 'quotes/trustee-tpm-evidence.json'), 'utf8'),
    );
    const files = [
      '--attest',
      write('t.msg', Buffer.from(signed.message, 'base64')),
      '--signature',
      write('t.sig', Buffer.from(signed.signature, 'base64')),
    ];
    const ak = write('t.pem', `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----\n`);
    const values = signed.pcrs.map((value: string, pcr: number) => `  ${pcr}: 0x${value}`).join('\n');
    const pcrs = write('t.yaml', `sha256:\n${values}\n`);
    const { status, json } = await runJson('inspect', 'quote', ...files, '--ak', ak, '--pcrs', pcrs);
    assert.deepEqual([status, json.failures], [0, []]);
    const other = write('u.yaml', `sha256:\n${values.replace(/ 0: 0x../, ' 0: 0x77')}\n`);
    assert.equal((await run('inspect', 'quote', ...files, '--ak', ak, '--pcrs', other)).status, 1);
  });
});

function* listEntryEnds(list: Buffer): Generator<number> {
  for (let at = 0; at < list.length; ) {
    const data = at + 28 + list.readUInt32LE(at + 24);
    at = data + 4 + list.readUInt32LE(data);
    yield at;
  }
}

const skipWithoutShared = existsSync(shared) ? false : 'no ../shared/vectors here';

test('every log beside the checkout is replayed or refused', { skip: skipWithoutShared }, async (t) => {
  for (const file of readdirSync(join(shared, 'ima'))) {
    const { status } = await run('inspect', 'ima', join(shared, 'ima', file));
    assert.ok(status === 0 || file.endsWith('unknown'), file);
  }
  let values = 0;
  const logs = readdirSync(join(shared, 'event-logs')).filter((each) => each.endsWith('.bin'));
  for (const file of logs) {
    const log = join(shared, 'event-logs', file);
    const yaml = log.replace('.bin', '.pcrs.yaml');
    const text = readFileSync(yaml, 'utf8');
    const { status, json } = await runJson('inspect', 'eventlog', log, ...(text === '' ? [] : ['--pcrs', yaml]));
    assert.equal(status, text === '' ? 3 : 0, file);
    if (text === '') continue;
    const outcomes = Object.values<Record<string, string>>(json.comparison).flatMap((bank) => Object.values(bank));
    assert.equal(outcomes.length, [...text.matchAll(/: 0x/g)].length, file);
    assert.deepEqual(new Set(Object.keys(json.comparison)), new Set<string>(json.algorithms), file);
    values += outcomes.filter((outcome) => outcome === 'match').length;
  }
  assert.ok(logs.length >= 10 && values > 100);
  t.diagnostic(`${logs.length} event logs, ${values} values that match`);
});

test('every boot beside the checkout: log, IMA list and quote agree', { skip: skipWithoutShared }, async (t) => {
  const boots = readdirSync(join(shared, 'measured-boot'));
  for (const name of boots) {
    const file = (each: string) => join(shared, 'measured-boot', name, each);
    const log = await runJson('inspect', 'eventlog', file('binary_bios_measurements'), '--pcrs', file('pcrs.txt'));
    assert.equal(log.status, 0, name);
    for (let pcr = 0; pcr < 16; pcr += 1) {
      assert.equal(log.json.comparison.sha256[pcr], pcr === 10 ? 'notApplicable' : 'match', `${name}, PCR ${pcr}`);
    }
    const pcr10 = / 10 ?: 0x([0-9A-F]+)/.exec(readFileSync(file('pcrs.txt'), 'utf8').split('sha256:')[1] ?? '')?.[1];
    const ima = async (list: string) => await runJson('inspect', 'ima', file(list), '--pcr10', pcr10 ?? '');
    const after = await ima('ima_after');
    assert.ok(after.json.matchedPrefix > 0, name);
    const quote = ['--attest', file('quote.msg'), '--signature', file('quote.sig'), '--ak', file('ak.pub')];
    const nonce = readFileSync(file('nonce.hex'), 'utf8').trim();
    const zeros = Object.fromEntries(Array.from({ length: 15 }, (_, pcr) => [pcr, '00'.repeat(32)]));
    const holds = async (value: string) => {
      const values: Record<string, string> = { ...zeros, ...log.json.pcrs.sha256, 10: value };
      const lines = Object.entries(values).map(([pcr, hex]) => `  ${pcr}: 0x${hex}`);
      const pcrs = write('boot.yaml', `sha256:\n${lines.join('\n')}\n`);
      return (await run('inspect', 'quote', ...quote, '--nonce', nonce, '--pcrs', pcrs)).status;
    };
    const matched: string[] = [];
    const list = readFileSync(file('ima_quote'));
    for (const end of listEntryEnds(list)) {
      const { json } = await runJson('inspect', 'ima', write('prefix.ima', list.subarray(0, end)));
      if ((await holds(json.pcr10.sha256)) === 0) matched.push(json.pcr10.sha256);
    }
    assert.equal(matched.length, 1, `${name}: one prefix of the list read after the quote`);
    const before = await ima('ima_before');
    const isGrown = readFileSync(file('ima_before')).length < list.length;
    assert.equal(await holds(before.json.pcr10.sha256), isGrown ? 1 : 0, name);
    assert.equal(before.json.matchedPrefix === null, isGrown, name);
  }
  assert.ok(boots.length >= 3);
  t.diagnostic(`${boots.length} boots, each with log, list and quote`);
});
