import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseBootReference } from '@holdfast/evidence';
import { loadTrust, verifyReference } from '@holdfast/verifier';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const FOLDER = '/usr/lib/systemd/boot/efi';
const STUB = `${FOLDER}/linuxx64.efi.stub`;
/** Any EFI application can stand for a kernel where nothing boots it. */
const KERNEL = `${FOLDER}/systemd-bootx64.efi`;
const COMMAND_LINE = 'console=ttyS0 root=/dev/vda ro';
const X509_LIST = Buffer.from('a159c0a5e494a74a87b5ab155c2bf072', 'hex');
const skip = findMissing() ?? false;

let directory = '';

function findMissing(): string | undefined {
  const missing = [STUB, KERNEL, '/usr/bin/objcopy', '/usr/bin/sbsign'].filter((path) => !existsSync(path));
  if (missing.length === 0) return undefined;
  if (process.env.CI !== undefined) throw new Error(`missing in CI: ${missing.join(', ')}`);
  return `missing ${missing.join(', ')} (Debian: systemd-boot-efi, sbsigntool, binutils)`;
}

const at = (name: string) => join(directory, name);

function run(...args: string[]) {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  return spawnSync(HOLDFAST, ['reference', 'boot', ...args], { encoding: 'utf8', env, timeout: 60_000 });
}

function makeUki(name: string, commandLine: string): string {
  writeFileSync(at(`${name}.cmdline`), commandLine);
  writeFileSync(at('osrel'), 'ID=test\n');
  writeFileSync(at('initrd'), Buffer.alloc(5000, 'cpio'));
  const sections: [string, string, string][] = [
    ['.osrel', at('osrel'), '0x20000'],
    ['.cmdline', at(`${name}.cmdline`), '0x30000'],
    ['.initrd', at('initrd'), '0x40000'],
    ['.linux', KERNEL, '0x2000000'],
  ];
  const args = sections.flatMap(([section, file, address]) => [
    '--add-section',
    `${section}=${file}`,
    '--change-section-vma',
    `${section}=${address}`,
  ]);
  execFileSync('objcopy', [...args, STUB, at(name)]);
  return at(name);
}

function makeKey(name: string): void {
  const subject = ['-x509', '-subj', `/CN=${name}`, '-days', '30', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', ...subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)], {
    stdio: 'ignore',
  });
}

/** One list with one certificate, as efivarfs gives it. */
function makeVariable(certificate: string): Buffer {
  const { raw } = new X509Certificate(readFileSync(at(certificate)));
  const sizes = Buffer.alloc(12);
  sizes.writeUInt32LE(28 + 16 + raw.length, 0);
  sizes.writeUInt32LE(16 + raw.length, 8);
  return Buffer.concat([Buffer.of(0x27, 0, 0, 0), X509_LIST, sizes, Buffer.alloc(16, 7), raw]);
}

before(() => {
  if (skip !== false) return;
  directory = mkdtempSync(join(tmpdir(), 'hf-boot-'));
  makeKey('platform');
  makeKey('stranger');
  execFileSync(
    'sbsign',
    [
      '--key',
      at('platform.key'),
      '--cert',
      at('platform.pem'),
      '--output',
      at('signed.efi'),
      makeUki('plain.efi', COMMAND_LINE),
    ],
    { stdio: 'ignore' },
  );
  mkdirSync(at('variables'));
  for (const name of ['PK', 'KEK', 'db']) writeFileSync(join(at('variables'), name), makeVariable('platform.pem'));
  writeFileSync(join(at('variables'), 'dbx'), Buffer.of(0x27, 0, 0, 0));
});

after(() => {
  if (directory !== '') rmSync(directory, { recursive: true, force: true });
});

const readStatement = (text: string) => {
  const statement: { subject: { name: string; digest: { sha256: string } }[]; predicate: unknown } = JSON.parse(text);
  return { subject: statement.subject, boot: parseBootReference(statement.predicate) };
};

suite('holdfast reference boot', { skip }, () => {
  test('computes what a signed image measures under Secure Boot, without root and without a TPM', () => {
    const { status, stdout, stderr } = run('--uki', at('signed.efi'), '--secure-boot-vars', at('variables'), '--json');
    assert.equal(status, 0, stderr);
    const { subject, boot } = readStatement(stdout);
    const sha256 = createHash('sha256')
      .update(readFileSync(at('signed.efi')))
      .digest('hex');
    assert.deepEqual(subject, [{ name: '*', digest: { sha256 } }]);
    assert.deepEqual([boot.secureBoot, boot.commandLine], [true, COMMAND_LINE]);
    const names = (pcr: number) => boot.events.filter((event) => event.pcr === pcr).map(({ name }) => name);
    assert.deepEqual(names(7), ['SecureBoot', 'PK', 'KEK', 'db', 'dbx', 'separator', 'db']);
    assert.deepEqual(names(9), ['command line', 'initrd']);
    assert.deepEqual([...new Set(names(11))], ['.linux', '.osrel', '.cmdline', '.initrd']);
    const content = boot.events.find(({ kind, name }) => kind === 'section' && name === '.linux');
    assert.equal(content?.digest, createHash('sha256').update(readFileSync(KERNEL)).digest('hex'));
  });

  test('signs it for the verifier, for named kube nodes', () => {
    const out = at('boot.json');
    const signing = [
      '--sign',
      at('stranger.key'),
      '--key-id',
      'boots',
      '--kube-node',
      'pool-a/*',
      '--kube-node',
      'one',
    ];
    const { status, stdout, stderr } = run('--uki', at('signed.efi'), ...signing, '--out', out);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /boot reference, signed/);
    const publicKey = createPublicKey(readFileSync(at('stranger.pem'))).export({ type: 'spki', format: 'pem' });
    const validFrom = new Date(Date.now() - 1000).toISOString();
    const validUntil = new Date(Date.now() + 1_000_000).toISOString();
    const key = { id: 'boots', role: 'boot', environment: 'staging', publicKey, scope: ['*'], validFrom, validUntil };
    const file = {
      format: 'holdfast-trust-v1',
      version: 1,
      expires: validUntil,
      environment: 'staging',
      keys: [key],
      eks: [],
      ekRoots: [],
    };
    const trust = loadTrust(Buffer.from(JSON.stringify(file)));
    const reference = verifyReference(readFileSync(out), trust, { environment: 'staging', now: Date.now() });
    assert.ok(reference.kind === 'boot');
    assert.deepEqual(
      reference.subjects.map(({ name }) => name),
      ['pool-a/*', 'one'],
    );
    assert.equal(reference.boot.pcrs['7'], undefined);
  });

  test('takes kernel, initrds and command line by themselves, and a loader before them', () => {
    writeFileSync(at('line'), `${COMMAND_LINE}\n`);
    const kernel = ['--kernel', KERNEL, '--initrd', at('initrd'), '--initrd', at('osrel')];
    const fromFile = run(...kernel, '--cmdline', `@${at('line')}`);
    const fromText = run(...kernel, '--cmdline', COMMAND_LINE, '--json');
    assert.deepEqual(JSON.parse(fromFile.stdout), JSON.parse(fromText.stdout));
    const { boot } = readStatement(fromText.stdout);
    const initrd = Buffer.concat([readFileSync(at('initrd')), readFileSync(at('osrel'))]);
    const events = boot.events.map(({ pcr, kind }) => `${pcr} ${kind}`);
    assert.deepEqual(events, ['4 action', '4 separator', '4 image', '9 loadOptions', '9 initrd']);
    assert.equal(boot.events.at(-1)?.digest, createHash('sha256').update(initrd).digest('hex'));
    const loaded = readStatement(run(...kernel, '--cmdline', COMMAND_LINE, '--loader', KERNEL).stdout).boot;
    assert.deepEqual(
      loaded.events.filter(({ pcr }) => pcr === 12).map(({ kind }) => kind),
      ['loadOptions'],
    );
    assert.equal(loaded.events.filter(({ pcr, kind }) => pcr === 4 && kind === 'image').length, 2);
  });

  test('refuses what would not boot or cannot be told, with a sentence', () => {
    writeFileSync(at('db'), makeVariable('stranger.pem'));
    mkdirSync(at('empty'));
    const others = ['PK', 'KEK'].flatMap((name) => ['--secure-boot-vars', join(at('variables'), name)]);
    const cases: [string[], number, RegExp][] = [
      [['--uki', at('plain.efi'), '--secure-boot-vars', at('variables')], 3, /would not start plain\.efi/],
      [['--uki', at('signed.efi'), ...others, '--secure-boot-vars', at('db')], 3, /nothing in db vouches for it/],
      [['--uki', at('signed.efi'), ...others], 3, /nothing in db;/],
      [['--uki', KERNEL], 3, /no systemd-stub/],
      [['--uki', at('signed.efi'), '--secure-boot-vars', at('empty')], 3, /has no file named/],
      [['--uki', at('signed.efi'), '--secure-boot-vars', at('osrel')], 2, /takes files named/],
      [['--uki', at('signed.efi'), '--cmdline', 'x'], 2, /go with --kernel/],
      [['--uki', at('signed.efi'), '--kernel', KERNEL], 2, /either --uki/],
      [['--kernel', KERNEL, '--secure-boot', 'on'], 2, /needs --secure-boot-vars/],
      [['--kernel', KERNEL, '--secure-boot-vars', at('variables'), '--secure-boot', 'maybe'], 2, /on or off/],
    ];
    for (const [args, code, sentence] of cases) {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, code, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, sentence);
      assert.equal(stdout, '');
    }
    const off = run('--uki', at('plain.efi'), '--secure-boot-vars', at('variables'), '--secure-boot', 'off');
    assert.equal(readStatement(off.stdout).boot.secureBoot, false);
  });
});
