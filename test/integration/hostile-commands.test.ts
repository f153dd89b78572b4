import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type TarEntry, writeOciImage } from '@holdfast/scripts';
import { makeHostileArchives } from '../support/hostile-archives.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root for devices';
const options = { skip, timeout: 120_000 };
const CHECKOUT = join(import.meta.dirname, '../..');
const MAX_MIB = 1_024;
const MAX_MS = 60_000;
let base = '';

before(() => {
  base = mkdtempSync(join(tmpdir(), 'hf-commands-'));
});

after(() => {
  // rm(1) walks down paths that are too long for one call.
  execFileSync('rm', ['-rf', base]);
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly peakMib: number;
}

/** Python tells the peak memory of its child, which is gone by the time that node hears of its end. */
const MEASURE = `
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL)
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(ended.returncode if ended.returncode >= 0 else 99)`;

/** Runs a command as a person would, within time and memory, and demands one of the documented exit codes. */
async function runCommand(...words: string[]): Promise<Ended> {
  const args = ['-c', MEASURE, `${CHECKOUT}/scripts/holdfast`, ...words];
  const ended = await new Promise<Ended>((resolve) => {
    const limits = { timeout: MAX_MS, maxBuffer: 1 << 28 };
    execFile('/usr/bin/python3', args, limits, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      const peakMib = Number(/^peak (\d+)$/m.exec(stderr)?.[1]) / 1024;
      resolve({ code, out: stdout, err: stderr.replace(/^peak \d+\n/m, ''), peakMib });
    });
  });
  const shown = `${words.join(' ')}: ${ended.code}\n${ended.err.slice(0, 500)}`;
  assert.ok([0, 1, 2, 3].includes(ended.code), shown);
  assert.ok(ended.peakMib < MAX_MIB, `${ended.peakMib} MiB: ${shown}`);
  assert.doesNotMatch(ended.err, /^\s+at |RangeError|FATAL/m, shown);
  return ended;
}

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

test('the inventory of a hostile directory names its limits and moves no terminal', options, async () => {
  const root = join(base, 'root');
  for (const [name, content] of makeHostileArchives()) {
    put(join(root, 'srv', name.endsWith('.json') ? `${name}/node_modules/x/package.json` : name), content);
  }
  put(join(root, 'var/lib/dpkg/status'), '');
  truncateSync(join(root, 'var/lib/dpkg/status'), 2 ** 30);
  mkdirSync(join(root, 'lib/apk/db'), { recursive: true });
  execFileSync('mkfifo', [join(root, 'lib/apk/db/installed')]);
  mkdirSync(join(root, 'var/lib/rpm'));
  execFileSync('mknod', [join(root, 'var/lib/rpm/Packages'), 'c', '10', '130']);
  symlinkSync('/etc/shadow', join(root, 'var/lib/rpm/rpmdb.sqlite'));
  put(join(root, 'srv/\u001b]0;x\u0007/node_modules/a\nb/package.json'), '{"name":"\\u001b[31mred","version":"1\\n2"}');
  const program = `import os,sys
os.chdir(sys.argv[1])
for i in range(4000): os.mkdir('d'); os.chdir('d')`;
  execFileSync('/usr/bin/python3', ['-c', program, join(root, 'srv')]);
  const json = await runCommand('inventory', root, '--json');
  assert.equal(json.code, 0, json.err);
  const document: unknown = JSON.parse(json.out);
  assert.ok(typeof document === 'object' && document !== null && 'complete' in document && 'limits' in document);
  assert.equal(document.complete, false);
  const limits = JSON.stringify(document.limits);
  for (const limit of ['fileBytes /var/lib/dpkg/status', 'depth', 'archive /srv/nested.jar']) {
    assert.ok(limits.includes(limit), `${limit} is not in ${limits.slice(0, 500)}`);
  }
  const table = await runCommand('inventory', root);
  assert.equal(table.code, 0, table.err);
  for (const text of [table.out, table.err]) assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}/u);
});

const LAYERS: Record<string, () => TarEntry[] | Buffer> = {
  'paths and links that lead out': () => [
    { path: '../../../../../../tmp/hf-escaped', content: 'x' },
    { path: '/etc/hf-escaped', content: 'x' },
    { path: 'link', type: 'symlink', target: '/etc' },
    { path: 'link/hf-escaped', content: 'x' },
    { path: 'hard', type: 'hardlink', target: '../../../../etc/shadow' },
  ],
  'one path 3,000 directories deep': () => [{ path: `${'d/'.repeat(3_000)}f`, content: 'x' }],
  'one entry 200,000 times': () => Array.from({ length: 200_000 }, () => ({ path: 'same', content: '' })),
  'attributes of 8 MiB in one header': () => [
    {
      path: 'x',
      content: 'x',
      xattrs: Object.fromEntries(Array.from({ length: 130 }, (_, at) => [`user.${at}`, Buffer.alloc(65_536, 1)])),
    },
  ],
  'a member that says it has 8 EiB': () => {
    const header = Buffer.alloc(1024);
    header.write('huge');
    header.write('0000644\0', 100);
    Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).copy(header, 124);
    header.write('0', 156);
    header.write('ustar\u000000', 257);
    header.write('        ', 148);
    const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return header;
  },
  'a sparse map of 1,000,000 segments': () => encodeSparseBomb(1_000_000),
};

/** GNU sparse format 1.0: the map stands in the data, as decimal lines. */
function encodeSparseBomb(segments: number): Buffer {
  const records = [
    'GNU.sparse.major=1',
    'GNU.sparse.minor=0',
    'GNU.sparse.name=holes',
    `GNU.sparse.realsize=${segments * 2}`,
  ];
  const pax = records.map((record) => {
    const bytes = record.length + 2;
    const length = bytes + String(bytes + String(bytes).length).length;
    return `${length} ${record}\n`;
  });
  const map = Buffer.from(`${segments}\n${Array.from({ length: segments }, (_, at) => `${at * 2}\n0\n`).join('')}`);
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  const body = pad(map);
  const text = Buffer.from(pax.join(''));
  return Buffer.concat([
    encodeHeader('pax', 'x', text.length),
    pad(text),
    encodeHeader('holes', '0', body.length),
    body,
    Buffer.alloc(1024),
  ]);
}

function encodeHeader(name: string, flag: string, bytes: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name);
  header.write('0000644\u00000000000\u00000000000\0', 100);
  header.write(`${bytes.toString(8).padStart(11, '0')}\u000000000000000\0`, 124);
  header.write(`        ${flag}`, 148);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

for (const [what, make] of Object.entries(LAYERS)) {
  test(`the inventory of an image with ${what} ends with an answer or a refusal`, options, async () => {
    const made = make();
    const layout = mkdtempSync(join(base, 'layout-'));
    const layer = Buffer.isBuffer(made) ? { tar: made } : { entries: made };
    await writeOciImage(layout, { name: 'docker.io/holdfast/hostile:1', layers: [layer] });
    const ended = await runCommand('inventory', layout, '--json');
    assert.ok([0, 3].includes(ended.code), `${ended.code}: ${ended.err}`);
    if (ended.code === 3) assert.notEqual(ended.err.trim(), '');
    assert.throws(() => execFileSync('ls', ['/tmp/hf-escaped', '/etc/hf-escaped'], { stdio: 'ignore' }));
  });
}

test('a layer that unpacks to 16 GiB of nothing ends with a refusal or an answer in time', options, async () => {
  const layout = mkdtempSync(join(base, 'bomb-'));
  const zeros = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
  const tar = Buffer.concat(Array.from({ length: 256 }, () => zeros));
  await writeOciImage(layout, { name: 'docker.io/holdfast/bomb:1', layers: [{ tar }], compression: 'none' });
  const ended = await runCommand('inventory', layout, '--json');
  assert.ok([0, 3].includes(ended.code), ended.err);
});

test('inspect, verify and diff refuse huge, deep and binary files by the documented codes', options, async () => {
  const files: Record<string, string | Buffer> = {
    deep: '['.repeat(20_000_000),
    keys: `{${Array.from({ length: 500_000 }, (_, at) => `"${at}":0`).join(',')}}`,
    binary: Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => (at * 7919) % 251)),
    empty: '',
    proto:
      '{"__proto__":{"packages":[]},"components":[{"purl":"pkg:deb/x@1"}],"bomFormat":"CycloneDX","specVersion":"1.6"}',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(base, name), content);
  writeFileSync(join(base, 'hole'), '');
  truncateSync(join(base, 'hole'), 2 ** 40);
  execFileSync('mkfifo', [join(base, 'fifo')]);
  const commands = [
    ['diff', 'FILE', 'FILE'],
    ['verify', 'FILE'],
    ...['eventlog', 'ima', 'quote', 'token', 'snapshot'].map((kind) => ['inspect', kind, 'FILE']),
  ];
  for (const name of ['fifo', 'hole', 'deep']) for (const words of commands) await assertRefused(words, name);
  for (const name of ['keys', 'binary', 'empty']) {
    for (const words of [
      ['diff', 'FILE', 'FILE'],
      ['inspect', 'token', 'FILE'],
    ])
      await assertRefused(words, name);
  }
  const same = await runCommand('diff', join(base, 'proto'), join(base, 'proto'));
  assert.ok([0, 3].includes(same.code), same.err);
});

async function assertRefused(words: readonly string[], name: string): Promise<void> {
  const { code, out, err } = await runCommand(...words.map((word) => (word === 'FILE' ? join(base, name) : word)));
  assert.ok(code === 1 || code === 2 || code === 3, `${words.join(' ')} takes ${name} for good: ${out.slice(0, 200)}`);
  assert.notEqual(`${err}${out}`.trim(), '');
}
