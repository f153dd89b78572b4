import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type RunningContainer, whyNoContainerd } from '@holdfast/scripts';
import {
  type ContainerWorld,
  findDrift,
  listDrift,
  type SeenContainer,
  startContainerWorld,
} from './container-world.ts';
import { cacheDebianRoot } from './layer-fixtures.ts';

const run = promisify(execFile);
const skip = (await whyNoContainerd()) ?? false;
const IMAGE = 'docker.io/holdfast/debian:1';

describe('a Debian container', { skip, timeout: 600_000 }, () => {
  let world: ContainerWorld;
  let work: string;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'holdfast-debian-'));
    world = await startContainerWorld();
    const tar = await readFile(await cacheDebianRoot());
    await world.containerd.addImage({ name: IMAGE, layers: [{ tar }], config: { Cmd: ['sleep', '100000'] } });
  });
  after(async () => {
    await world.close();
    await rm(work, { recursive: true, force: true });
  });

  async function start(): Promise<{ container: RunningContainer; first: SeenContainer }> {
    const container = await world.containerd.run({ image: IMAGE });
    const first = await world.look(container.id);
    assert.deepEqual(first.claims.scan, { complete: true, limits: [], timed: false });
    assert.deepEqual(listDrift(first), []);
    return { container, first };
  }

  /** Puts a file of the host into a running container through its own root, as a copy command would. */
  async function copyInto({ pid }: RunningContainer, file: string, path: string): Promise<void> {
    await run('cp', [file, `/proc/${pid}/root${path}`]);
  }

  it('has the packages of its database, the same in baseline and running root', async () => {
    const { container, first } = await start();
    const format = ['Package', 'Version'].map((field) => `\${${field}}`).join(' ');
    const listed = await world.containerd.exec(container, ['dpkg-query', '-W', '-f', `${format}\\n`]);
    const names = (first.inventory?.packages ?? []).map(({ name, version }) => `${name} ${version}`);
    assert.deepEqual(names.sort(), listed.trim().split('\n').sort());
    assert.deepEqual(first.inventory, first.baseline);
    assert.deepEqual(
      first.claims.image.layers.map(({ proof }) => proof),
      ['content'],
    );
    await world.containerd.remove(container);
  });

  it('shows a package that was really installed: its purl, its program, its database', async () => {
    const { container, first } = await start();
    const deb = await buildPackage(work);
    await copyInto(container, deb, '/tmp/tool.deb');
    await world.containerd.exec(container, ['dpkg', '-i', '/tmp/tool.deb']);
    const seen = await world.look(container.id);
    const before = new Set(first.inventory?.packages.map(({ purl }) => purl));
    const added = (seen.inventory?.packages ?? []).filter(({ purl }) => !before.has(purl));
    assert.deepEqual(
      added.map(({ name, version }) => [name, version]),
      [['holdfast-tool', '1.2-3']],
    );
    assert.deepEqual(seen.baseline, first.baseline);
    const paths = listDrift(seen);
    for (const expected of [
      'added /usr/bin/holdfast-tool',
      'modified /var/lib/dpkg/status',
      'added /var/lib/dpkg/info/holdfast-tool.list',
    ]) {
      assert.ok(paths.includes(expected), `${expected} is not among ${paths.join(', ')}`);
    }
    const program = findDrift(seen, '/usr/bin/holdfast-tool');
    assert.ok(program.reasons.includes('executable') && program.reasons.includes('script'));
    assert.ok(findDrift(seen, '/var/lib/dpkg/status').reasons.includes('packageDatabase'));
    await world.containerd.remove(container);
  });

  it('shows a shared library that was replaced, with its owner, though the database says nothing', async () => {
    const { container, first } = await start();
    const path = '/usr/lib/x86_64-linux-gnu/libz.so.1.2.13';
    const fake = join(work, 'fake.so');
    await copyFile(`/proc/${container.pid}/root${path}`, fake);
    await run('sh', ['-c', 'printf X >> "$0"', fake]);
    await copyInto(container, fake, path);
    const seen = await world.look(container.id);
    assert.deepEqual(listDrift(seen), [`modified ${path}`]);
    const entry = findDrift(seen, path);
    assert.match(entry.ownedBy ?? '', /^pkg:deb\/debian\/zlib1g@/);
    assert.notEqual(entry.before?.sha256, entry.after?.sha256);
    assert.ok(entry.reasons.includes('elf') && entry.reasons.includes('sharedObject'));
    assert.deepEqual(
      seen.inventory?.packages.map(({ purl }) => purl),
      first.inventory?.packages.map(({ purl }) => purl),
    );
    await world.containerd.remove(container);
  });

  it('shows setuid and removed files of owned packages with their owners', async () => {
    const { container } = await start();
    await world.containerd.exec(container, ['sh', '-c', 'chmod u+s /usr/bin/env; rm /usr/bin/tac']);
    const seen = await world.look(container.id);
    assert.deepEqual(listDrift(seen), ['attributes /usr/bin/env', 'removed /usr/bin/tac']);
    assert.match(findDrift(seen, '/usr/bin/env').ownedBy ?? '', /^pkg:deb\/debian\/coreutils@/);
    assert.match(findDrift(seen, '/usr/bin/tac').ownedBy ?? '', /^pkg:deb\/debian\/coreutils@/);
    await world.containerd.remove(container);
  });

  it('an untouched one stays byte for byte the same', async () => {
    const { container, first } = await start();
    const second = await world.look(container.id);
    assert.ok(first.bytes.equals(second.bytes));
    await world.containerd.remove(container);
  });
});

/** A package with one script, made by dpkg-deb. */
async function buildPackage(work: string): Promise<string> {
  const root = join(work, 'tool');
  await mkdir(join(root, 'DEBIAN'), { recursive: true });
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  const control =
    'Package: holdfast-tool\\nVersion: 1.2-3\\nArchitecture: all\\nMaintainer: nobody <n@example.org>\\nDescription: a tool\\n';
  await run('sh', [
    '-c',
    `printf '${control}' > "$0/DEBIAN/control"; printf '#!/bin/sh\\n' > "$0/usr/bin/holdfast-tool"; chmod 755 "$0/usr/bin/holdfast-tool"`,
    root,
  ]);
  const deb = join(work, 'tool.deb');
  await run('dpkg-deb', ['--root-owner-group', '--build', root, deb]);
  return deb;
}
