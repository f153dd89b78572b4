import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { appendFile, readdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { OciImage } from '@holdfast/scripts';
import {
  listBusyboxEntries,
  type RunningContainer,
  startContainerd,
  type TestContainerd,
  whyNoContainerd,
} from '@holdfast/scripts';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const skip = (await whyNoContainerd()) ?? false;
const STATUS = 'Package: base\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2.0-1\n';
const ADDED = '\nPackage: added\nStatus: install ok installed\nArchitecture: all\nVersion: 3\n';

const run = promisify(execFile);

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function holdfast(...args: string[]): Promise<Outcome> {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, HOLDFAST_CONFIG: ___, ...env } = process.env;
  const child = spawn(HOLDFAST, args, { env, timeout: 60_000 });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

describe('the live view of containers, without a verifier', { skip, timeout: 240_000 }, () => {
  let containerd: TestContainerd;
  let image: OciImage;
  let second: RunningContainer;

  before(async () => {
    containerd = await startContainerd();
    const layers = [
      { entries: await listBusyboxEntries() },
      { entries: [{ path: 'var/lib/dpkg/status', content: STATUS }] },
    ];
    const config = { Cmd: ['sleep', '100000'] };
    image = await containerd.addImage({ name: 'docker.io/holdfast/live:1', layers, config });
    await containerd.run({ image: image.name, id: 'first-one' });
    second = await containerd.run({ image: image.name, id: 'first-two' });
  });
  after(() => containerd.close());

  const container = (...args: string[]) => holdfast('container', ...args, '--runtime', containerd.address);
  const judge = async (...args: string[]) => {
    const outcome = await container(...args, '--json');
    const { containers } = JSON.parse(outcome.stdout);
    return { code: outcome.code, containers };
  };

  it('says of an unchanged container that it is its image, every layer proven', async () => {
    const { code, containers } = await judge('all');
    assert.equal(code, 0);
    assert.deepEqual(
      containers.map(({ id, verdict, reasons, proof, packages }: Record<string, unknown>) => ({
        id,
        verdict,
        reasons,
        proof,
        packages,
      })),
      ['first-one', 'first-two'].map((id) => ({
        id,
        verdict: 'unchanged',
        reasons: [],
        proof: { content: 2, tarSplit: 0, firstUse: 0, none: 0 },
        packages: { inventory: 1, baseline: 1 },
      })),
    );
    assert.equal(containers[0].claims.image.manifest, image.manifestDigest);
    assert.deepEqual(containers[0].drift.relevant, []);
    const table = await container('all');
    assert.equal(table.code, 0);
    assert.match(table.stdout, /first-one +holdfast-\S+ +unchanged +sha256:[0-9a-f]+ +2\/2 +1 +0/);
  });

  it('finds a container by the first characters of its id, and refuses what means several or none', async () => {
    const { containers } = await judge('first-o');
    assert.deepEqual(
      containers.map(({ id }: { id: string }) => id),
      ['first-one'],
    );
    for (const [wanted, code, sentence] of [
      ['first', 2, /"first" means several containers: first-one, first-two/],
      ['nobody', 3, /the runtime has no container "nobody"/],
      ['', 2, /named by its id/],
    ] as const) {
      const outcome = await container(wanted);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, sentence);
      assert.equal(outcome.stdout, '');
    }
  });

  it('names what was changed in one and nothing in the other, and its inventory has the package', async () => {
    await containerd.exec(second, ['sh', '-c', `printf '${ADDED.replaceAll('\n', '\\n')}' >> /var/lib/dpkg/status`]);
    await containerd.exec(second, [
      'sh',
      '-c',
      'cp /bin/busybox /usr/bin/dropped 2>/dev/null || cp /bin/busybox /dropped',
    ]);
    const { code, containers } = await judge('all');
    assert.equal(code, 1);
    const [one, two] = containers;
    assert.equal(one.verdict, 'unchanged');
    assert.equal(two.verdict, 'changed');
    assert.deepEqual(two.packages, { inventory: 2, baseline: 1 });
    const drift = two.drift.relevant.map(({ kind, path }: Record<string, string>) => `${kind} ${path}`);
    assert.ok(drift.includes('modified /var/lib/dpkg/status'), drift.join());
    assert.ok(drift.some((text: string) => /^added .*dropped$/.test(text)));
    const table = await container('first-two');
    assert.equal(table.code, 1);
    assert.match(table.stdout, /modified \/var\/lib\/dpkg\/status .*packageDatabase/);

    const found = await holdfast('inventory', 'container:first-two', '--runtime', containerd.address, '--json');
    assert.equal(found.code, 0, found.stderr);
    const { complete, limits, packages } = JSON.parse(found.stdout);
    assert.deepEqual([complete, limits], [true, []]);
    const rows = packages.map(({ name, version, path, layer }: Record<string, string>) => [name, version, path, layer]);
    assert.deepEqual(rows, [
      ['added', '3', '/var/lib/dpkg/status', undefined],
      ['base', '1:2.0-1', '/var/lib/dpkg/status', undefined],
    ]);
    const before = await holdfast('inventory', 'container:first-one', '--runtime', containerd.address, '--json');
    const [base] = JSON.parse(before.stdout).packages;
    assert.equal(base.layer, image.layers[1]?.diffId);
  });

  it('reads what compilers wrote into programs of a container', async () => {
    const runc = await readFile((await run('sh', ['-c', 'readlink -f $(command -v runc)'])).stdout.trim());
    const image = await containerd.addImage({
      name: 'docker.io/holdfast/go:1',
      layers: [
        { entries: await listBusyboxEntries() },
        { entries: [{ path: 'opt/tool', content: runc, mode: 0o755 }] },
      ],
      config: { Cmd: ['sleep', '100000'] },
    });
    const started = await containerd.run({ image: image.name, id: 'gopher' });
    const found = await holdfast('inventory', 'container:gopher', '--runtime', containerd.address, '--json');
    const { packages, limits } = JSON.parse(found.stdout);
    const stdlib = packages.find(({ name }: { name: string }) => name === 'stdlib');
    assert.deepEqual([stdlib?.type, stdlib?.path, stdlib?.layer], ['golang', '/opt/tool', image.layers[1]?.diffId]);
    assert.deepEqual(limits, []);
    await containerd.remove(started);
  });

  it('finds a byte that the host changed below a container, times restored', async () => {
    const snapshots = join(containerd.directory, 'root/io.containerd.snapshotter.v1.overlayfs/snapshots');
    const [path] = (
      await Promise.all(
        (
          await readdir(snapshots)
        ).map(async (name) => {
          const candidate = join(snapshots, name, 'fs/bin/busybox');
          return (await stat(candidate).catch(() => undefined)) === undefined ? [] : [candidate];
        }),
      )
    ).flat();
    assert.ok(path !== undefined);
    const { atime, mtime } = await stat(path);
    await appendFile(path, 'x');
    await utimes(path, atime, mtime);
    const { code, containers } = await judge('first-one');
    assert.equal(code, 1);
    assert.equal(containers[0].verdict, 'changed');
    assert.ok(containers[0].reasons.includes('layerContent:/bin/busybox'), containers[0].reasons.join());
    assert.deepEqual(containers[0].proof, { content: 1, tarSplit: 0, firstUse: 0, none: 1 });
  });

  it('cannot decide about a container of another snapshotter, and says why', async () => {
    await containerd.run({ image: image.name, id: 'native', flags: ['--snapshotter', 'native'] });
    const { code, containers } = await judge('native');
    assert.equal(code, 3);
    assert.equal(containers[0].verdict, 'undecided');
    assert.ok(containers[0].reasons.includes('unsupported:snapshotter:native'), containers[0].reasons.join());
    const refused = await holdfast('inventory', 'container:native', '--runtime', containerd.address);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /could not be read: .*unsupported:snapshotter:native/);
  });

  it('says what to do when nobody listens, and ends when it was given too little time', async () => {
    for (const words of [
      ['container', 'all'],
      ['inventory', 'container:x'],
    ]) {
      const outcome = await holdfast(...words, '--runtime', '/nonexistent.sock');
      assert.equal(outcome.code, 3, outcome.stderr);
      assert.match(outcome.stderr, /\/nonexistent\.sock/);
      assert.doesNotMatch(outcome.stderr, /^\s+at |internal error/m);
    }
    assert.equal((await container('all', '--timeout-ms', 'soon')).code, 2);
    assert.equal((await holdfast('container', 'all', '--runtime', 'relative.sock')).code, 2);
    const hurried = await container('first-one', '--timeout-ms', '1');
    assert.equal(hurried.code, 3);
    assert.match(hurried.stdout, /undecided/);
  });
});
