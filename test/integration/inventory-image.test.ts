import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeOciImage } from '@holdfast/scripts';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const REF_NAME = 'org.opencontainers.image.ref.name';
const FULL = 'registry.example:5000/team/foo:1.0';

type Descriptor = Record<string, unknown>;

let work = '';
/** One image each, with the package of that name. */
let foo: Descriptor;
let bar: Descriptor;

before(async () => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  foo = await writeImage('foo');
  bar = await writeImage('bar');
});
after(() => rmSync(work, { recursive: true, force: true }));

/** Adds an image to the blobs of the layout `blobs` and returns what an index says of it. */
async function writeImage(name: string): Promise<Descriptor> {
  const content = JSON.stringify({ name, version: '1' });
  const layers = [{ entries: [{ path: 'app/package.json', content }] }];
  await writeOciImage(join(work, 'blobs'), { name, layers });
  const [{ annotations: _, ...descriptor }] = JSON.parse(
    readFileSync(join(work, 'blobs/index.json'), 'utf8'),
  ).manifests;
  return descriptor;
}

/** A layout with this index. */
function layout(name: string, ...manifests: Descriptor[]): string {
  const directory = join(work, name);
  rmSync(directory, { recursive: true, force: true });
  cpSync(join(work, 'blobs'), directory, { recursive: true });
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return directory;
}

const tagged = (descriptor: Descriptor, ref: string): Descriptor => ({
  ...descriptor,
  annotations: { [REF_NAME]: ref },
});

function run(...args: string[]) {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  return spawnSync(HOLDFAST, args, { cwd: work, encoding: 'utf8', env, timeout: 60_000 });
}

/** Names of the packages of what is named. */
function read(...args: string[]): string[] {
  const { status, stdout, stderr } = run('inventory', '--json', ...args);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout).packages.map(({ name }: { name: string }) => name);
}

function assertRefused(args: readonly string[], status: number, sentence: RegExp): void {
  const result = run(...args);
  assert.deepEqual([result.status, result.stdout], [status, ''], result.stderr);
  assert.match(result.stderr, sentence);
}

suite('the name of an image', () => {
  test('may hold colons behind the directory and in it', () => {
    for (const name of ['plain', 'a:b:c']) {
      const directory = layout(name, tagged(foo, FULL), tagged(bar, '2'));
      assert.deepEqual(read(`${name}:${FULL}`), ['foo']);
      assert.deepEqual(read(`${directory}:1.0`), ['foo']);
      assert.deepEqual(read(`./${name}:${String(bar['digest'])}`), ['bar']);
    }
    layout('a:b', tagged(bar, FULL));
    assert.deepEqual(read('a:b'), ['bar']);
    mkdirSync(join(work, 'plain:2/app'), { recursive: true });
    assert.deepEqual(read('plain:2'), [], 'what exists under the whole name is meant');
  });

  test('is the same to build attest', () => {
    layout('attested', tagged(foo, FULL), tagged(bar, '2'));
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(work, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const attest = (name: string) => ['build', 'attest', name, '--key', 'key.pem', '--out', 'o.json', '--json'];
    for (const ref of [FULL, String(foo['digest'])]) {
      const { status, stdout, stderr } = run(...attest(`attested:${ref}`));
      assert.equal(status, 0, stderr);
      assert.equal(JSON.parse(stdout).manifestDigest, foo['digest']);
    }
    assertRefused(attest('nothing:1'), 3, /^holdfast: nothing:1 is no OCI image layout; /);
  });
});

suite('a directory with an index and blobs', () => {
  test('is a layout without the file that says so, a root directory where it has /etc', () => {
    const directory = layout('unmarked', tagged(foo, FULL), tagged(bar, '2'));
    rmSync(join(directory, 'oci-layout'));
    assert.deepEqual(read(`${directory}:2`), ['bar']);
    assertRefused(['inventory', directory], 3, /more than one image fits/);
    mkdirSync(join(directory, 'etc'));
    assert.deepEqual(read(directory), []);
  });
});

suite('the platform of an image', () => {
  test('is asked for with --platform, and need not be where there is one image', () => {
    const own = process.arch === 'x64' ? 'amd64' : process.arch;
    const [here, foreign] = [own, 's390x'].map((architecture) => ({ platform: { os: 'linux', architecture } }));
    layout('foreign', { ...tagged(foo, '1'), ...foreign });
    assert.deepEqual(read('foreign'), ['foo']);
    layout('several', { ...tagged(foo, '1'), ...foreign }, { ...tagged(bar, '1'), ...here });
    assert.deepEqual(read('several:1'), ['bar']);
    assert.deepEqual(read('several:1', '--platform', `linux/${own}`), ['bar']);
    assertRefused(
      ['inventory', 'several', '--platform', 'linux/arm/v7'],
      3,
      /no image fits linux\/arm\/v7; there are 1 \(/,
    );
    // What the index says of it is not what the image says of itself.
    assertRefused(
      ['inventory', 'several', '--platform', 'linux/s390x'],
      3,
      /no image fits linux\/s390x; this one is for/,
    );
  });

  test('that is none, or none of the image, is told', () => {
    layout('named', tagged(foo, '1'), tagged(bar, '2'));
    assertRefused(['inventory', 'named:3'], 3, /no image is named 3; the layout holds 1, 2\n$/);
    assertRefused(['inventory', 'named:1', '--platform', 'linux/s390x'], 3, /no image fits linux\/s390x/);
    assertRefused(['inventory', 'named:1', '--platform', 'arm64'], 2, /--platform takes OS\/ARCH/);
    assertRefused(['inventory', work, '--platform', 'linux/arm64'], 2, /is a root directory; --platform is for images/);
    assertRefused(['inventory', 'container:x', '--platform', 'linux/arm64'], 2, /--platform is for images/);
  });
});
