import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createDevCa, type IssuedFiles } from '@holdfast/scripts';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const QUICKSTART = fileURLToPath(new URL('../../scripts/quickstart', import.meta.url));

let directory = '';
let tls: IssuedFiles;

function run(file: string, args: readonly string[], uid?: number) {
  // Settings of its own: those of the checkout are there while another test keeps a quickstart up.
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env;
  const env = { ...inherited, HOLDFAST_CONFIG: join(directory, 'none.json') };
  const identity = uid === undefined ? {} : { uid, gid: uid };
  return spawnSync(file, args, { cwd: directory, encoding: 'utf8', env, timeout: 60_000, ...identity });
}

/** A clear sentence, the right exit code, no stack trace, and nothing on stdout that a program could take for an answer. */
function assertRefused(args: readonly string[], status: number, sentence: RegExp): void {
  const result = run(HOLDFAST, args);
  const told = `${args.join(' ')}: ${result.stderr}`;
  assert.equal(result.status, status, told);
  assert.match(result.stderr, sentence, told);
  assert.doesNotMatch(result.stderr, /^\s+at |node:internal|internal error/m, told);
  assert.equal(result.stdout, '', told);
}

function file(name: string, content: string | Uint8Array = ''): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-bad-'));
  chmodSync(directory, 0o755);
  file('none.json', '{}');
  const ca = await createDevCa();
  tls = await ca.issueFiles(join(directory, 'tls'), 'all', {
    commonName: 'test',
    roles: ['agent', 'verifier', 'operator'],
    hosts: ['127.0.0.1'],
  });
});

after(() => rmSync(directory, { recursive: true, force: true }));

suite('bad input to commands that read a file', () => {
  const readers: [string[], string][] = [
    [['verify', '--trust', '/nonexistent'], 'verify'],
    [['inspect', 'token'], 'inspect token'],
    [['inspect', 'snapshot'], 'inspect snapshot'],
    [['diff', '/nonexistent'], 'diff'],
    [['inventory'], 'inventory'],
  ];
  for (const [words, name] of readers) {
    test(`${name}: missing, empty, a directory, garbage, truncated`, () => {
      assertRefused([...words, '/nonexistent/file'], 3, /does not exist/);
      if (name !== 'inventory') {
        const operands = words.filter((word) => word !== '/nonexistent');
        const rest = name === 'diff' ? [file('garbage.json', '{]')] : [];
        const prefix = name === 'verify' ? ['verify', '--trust', writeTrust()] : operands;
        assertRefused([...prefix, file('empty'), ...rest], 3, /is empty/);
        assertRefused([...prefix, directory, ...rest], 3, /is a directory/);
        assertRefused([...prefix, file('garbage', '\u0000\u0001garbage'), ...rest], 3, /garbage/);
      }
      assertRefused([...words, file('x', 'x'), '--nope'], 2, /--nope/);
    });
  }

  test('a snapshot that is cut off is told from one that is damaged elsewhere', () => {
    const trust = writeTrust();
    assert.match(run(HOLDFAST, ['inspect', 'snapshot', file('cut', 'HFSNAP1\n')]).stderr, /cut off/);
    const header = Buffer.concat([Buffer.from('HFSNAP1\n'), Buffer.alloc(7), Buffer.of(100)]);
    const damaged = file('damaged', Buffer.concat([header, Buffer.alloc(132)]));
    const result = run(HOLDFAST, ['verify', damaged, '--trust', trust]);
    assert.equal(result.status, 1);
    assert.match(result.stdout, /does not hold: .*damaged/);
    assertRefused(['verify', file('cut', header), '--trust', trust], 3, /cut off/);
  });

  test('a file without permission is named, with what to do', () => {
    const secret = file('secret', 'x');
    chmodSync(secret, 0o600);
    chownSync(secret, 65534, 65534);
    // Root without the capabilities to read everything: the checkout may lie where nobody else can reach it.
    const drop = '-dac_override,-dac_read_search';
    const result = run('setpriv', [
      `--bounding-set=${drop}`,
      `--inh-caps=${drop}`,
      HOLDFAST,
      'inspect',
      'token',
      'secret',
    ]);
    assert.equal(result.status, 3);
    assert.match(result.stderr, /no permission to read secret; run as root or change its mode/);
  });

  test('a layout whose blobs are missing or false is refused', () => {
    const layout = join(directory, 'layout');
    mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
    file('layout/oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    assertRefused(['inventory', layout], 3, /index\.json does not exist/);
    const digest = `sha256:${'0'.repeat(64)}`;
    const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 2 };
    file('layout/index.json', JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    assertRefused(['inventory', layout], 3, /does not exist/);
    file(`layout/blobs/sha256/${'0'.repeat(64)}`, '{}');
    assertRefused(['inventory', layout], 3, /sha256:0{64} holds sha256:/);
    assertRefused(['inventory', `${layout}:no-such-tag`], 3, /no-such-tag|no image/);
  });

  test('inventory: what docker saved, as a file and unpacked, says how it becomes an image layout', () => {
    assertRefused(['inventory', file('saved.tar', 'manifest.json')], 3, /is no directory.*skopeo copy docker-archive:/);
    const unpacked = join(directory, 'unpacked');
    mkdirSync(unpacked);
    writeFileSync(join(unpacked, 'manifest.json'), '[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l/layer.tar"]}]');
    assertRefused(['inventory', unpacked, '--json'], 3, /unpacked docker archive.*skopeo copy docker-archive:/);
  });

  test('output that cannot be written is told, and no answer', () => {
    const root = join(directory, 'root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    for (const command of [`inventory ${root} --json`, '--help', 'inventory --help']) {
      const result = run('sh', ['-c', `exec ${HOLDFAST} ${command} >/dev/full`]);
      assert.equal(result.status, 3, command);
      assert.equal(result.stderr, 'holdfast: cannot write the output (ENOSPC)\n', command);
    }
    assert.equal(run('sh', ['-c', `exec ${HOLDFAST} inventory /nonexistent 2>/dev/full`]).status, 3);
    assert.equal(run('sh', ['-c', `exec ${HOLDFAST} inventory 2>/dev/full`]).status, 2);
  });

  test('build attest wants a key, a place for its output and packages', () => {
    assertRefused(['build', 'attest', directory], 2, /needs --out FILE/);
    assertRefused(['build', 'attest', directory, '--out', 'o', '--key', file('k', 'no key')], 3, /no private key/);
  });
});

function writeTrust(): string {
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: '2999-01-01T00:00:00Z',
    environment: 'development',
  };
  return file('trust.json', JSON.stringify({ ...trust, keys: [], eks: [], ekRoots: [] }));
}

function serveFlags(...more: string[]): string[] {
  return [
    '--tls-ca',
    tls.ca,
    '--tls-cert',
    tls.cert,
    '--tls-key',
    tls.key,
    '--state-dir',
    join(directory, 'state'),
    ...more,
  ];
}

suite('bad surroundings of the processes', () => {
  test('the agent without a TPM says which one it looked for', () => {
    const flags = serveFlags('--listen', '127.0.0.1:0', '--runtime', 'none', '--tpm', `swtpm:path=${directory}/no-tpm`);
    assertRefused(['agent', '--log-level', 'silent', ...flags], 3, /TPM/);
    const device = serveFlags('--listen', '127.0.0.1:0', '--runtime', 'none', '--tpm', 'device:/dev/no-such-tpm');
    assertRefused(['agent', '--log-level', 'silent', ...device], 3, /no-such-tpm/);
  });

  test('the agent without a runtime says which socket it looked for', () => {
    const flags = serveFlags('--listen', '127.0.0.1:0', '--tpm', 'none', '--runtime', join(directory, 'no.sock'));
    assertRefused(['agent', '--log-level', 'silent', ...flags], 3, /no\.sock/);
  });

  test('a port that is in use is named', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const listen = `127.0.0.1:${port}`;
      const flags = serveFlags('--listen', listen, '--log-level', 'silent');
      assertRefused(['verifier', '--trust', writeTrust(), ...flags], 3, new RegExp(listen));
      assertRefused(['agent', '--tpm', 'none', '--runtime', 'none', ...flags], 3, new RegExp(listen));
    } finally {
      server.close();
    }
  });

  test('settings that are wrong are wrong use, and name the field', () => {
    assertRefused(['agent', ...serveFlags('--listen', 'nowhere')], 2, /listen/);
    assertRefused(['agent', ...serveFlags('--listen', '127.0.0.1:0', '--heartbeat-ms', 'soon')], 2, /--heartbeat-ms/);
    assertRefused(['verifier', ...serveFlags('--listen', '127.0.0.1:0')], 2, /trustFile/);
    const config = file('settings.json', JSON.stringify({ serve: { agent: { kubeNod: 'x' } } }));
    assertRefused(['agent', '--config', config, ...serveFlags()], 2, /kubeNod/);
    assertRefused(['agent', '--config', '/nonexistent.json'], 3, /nonexistent\.json does not exist/);
    assertRefused(['results', '--config', file('broken.json', '{')], 3, /broken\.json/);
  });

  test('TLS files that are missing or no certificates are named', () => {
    const trust = writeTrust();
    const base = [
      'verifier',
      '--trust',
      trust,
      '--state-dir',
      join(directory, 's2'),
      '--listen',
      '127.0.0.1:0',
      '--log-level',
      'silent',
    ];
    assertRefused(
      [...base, '--tls-ca', '/nonexistent', '--tls-cert', tls.cert, '--tls-key', tls.key],
      3,
      /nonexistent/,
    );
    assertRefused(
      [...base, '--tls-ca', tls.ca, '--tls-cert', file('no.pem', 'x'), '--tls-key', tls.key],
      3,
      /TLS|certificate|no\.pem/,
    );
  });

  test('a trust file that is not strict JSON, expired or of another format is refused', () => {
    const start = (content: string) => [
      'verifier',
      '--trust',
      file('t.json', content),
      ...serveFlags('--listen', '127.0.0.1:0', '--log-level', 'silent'),
    ];
    assertRefused(start('{"format":"holdfast-trust-v1","format":"holdfast-trust-v1"}'), 3, /trust|t\.json/i);
    assertRefused(start('{}'), 3, /trust|t\.json/i);
  });

  test('clients say when nobody is there', () => {
    const config = file('client.json', JSON.stringify({ tls }));
    for (const words of [['results'], ['nodes'], ['reference', 'list']]) {
      assertRefused(
        [...words, '--config', config, '--verifier', '127.0.0.1:9'],
        3,
        /verifier at 127\.0\.0\.1:9 cannot be reached/,
      );
    }
    const snapshot = ['snapshot', '--out', join(directory, 'out'), '--config', config, '--agent', '127.0.0.1:9'];
    const result = run(HOLDFAST, snapshot);
    assert.equal(result.status, 3);
    assert.match(result.stderr, /agent at 127\.0\.0\.1:9 cannot be reached/);
  });
});

suite('bad input to the scripts', () => {
  test('quickstart refuses unknown flags and halves of an image, before it starts anything', () => {
    for (const [args, sentence] of [
      [['--bogus'], /--bogus/],
      [['--image', 'x'], /go together/],
      [['--keep', '--stop'], /exclude each other/],
    ] as const) {
      const result = run(QUICKSTART, args);
      assert.equal(result.status, 2, result.stderr);
      assert.match(result.stderr, sentence);
    }
    assert.equal(run(QUICKSTART, ['--help']).status, 0);
  });

  test('without root, quickstart and test say so and exit 3', () => {
    mkdirSync(join(directory, 'scripts'));
    for (const name of ['quickstart', 'test']) {
      const script = join(directory, 'scripts', name);
      copyFileSync(fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url)), script);
      const result = run(script, [], 65534);
      assert.equal(result.status, 3);
      assert.match(result.stderr, /needs root/);
    }
  });

  test('an image that is no layout is told, and nothing is left behind', () => {
    const result = run(QUICKSTART, ['--image', directory, '--sbom', file('s', '{}'), '--key', file('k', 'x')]);
    assert.equal(result.status, 3);
    assert.match(result.stderr, /no OCI image layout/);
  });
});
