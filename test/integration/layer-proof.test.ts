import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { lchown, link, lstat, mkdir, open, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestDirectory, fingerprintDirectory, type LayerProofResult, proveLayer } from '@holdfast/agent';
import type { OciImage, OciLayer } from '@holdfast/scripts';
import { startContainerd, type TestContainerd, whyNoContainerd } from '@holdfast/scripts';
import { CAPABILITY, listTestLayers, run } from './layer-fixtures.ts';

const skip = await whyNoContainerd();

describe('layer proof over what containerd unpacked', { skip }, () => {
  let containerd: TestContainerd;
  let image: OciImage;
  let directories: string[];

  before(async () => {
    containerd = await startContainerd();
    image = await containerd.addImage({
      name: 'docker.io/holdfast/layers:1',
      layers: await listTestLayers(containerd.directory),
    });
    const snapshots = join(containerd.directory, 'root/io.containerd.snapshotter.v1.overlayfs/snapshots');
    directories = readdirSync(snapshots)
      .sort((a, b) => Number(a) - Number(b))
      .map((name) => join(snapshots, name, 'fs'));
  });
  after(async () => {
    await containerd?.close();
  });

  const layerAt = (index: number): { layer: OciLayer; directory: string } => {
    const layer = image.layers[index];
    const directory = directories[index];
    assert.ok(layer !== undefined && directory !== undefined);
    return { layer, directory };
  };
  const lowersOf = (index: number) => directories.slice(0, index).reverse();
  const prove = async (index: number, more: { maxDifferences?: number } = {}): Promise<LayerProofResult> => {
    const { layer, directory } = layerAt(index);
    const blob = { path: join(image.directory, 'blobs/sha256', layer.digest.slice('sha256:'.length)) };
    return await proveLayer({ ...layer, ...more, lowers: lowersOf(index), blob, directory });
  };
  /** Changes the directory of the upper layer, proves it, undoes the change and proves that too. */
  const tamper = async (change: (root: string) => Promise<unknown>, undo: (root: string) => Promise<unknown>) => {
    const { directory } = layerAt(1);
    await change(directory);
    const result = await prove(1);
    await undo(directory);
    assert.equal((await prove(1)).proof, 'content', 'proven again after the change is undone');
    assert.equal(result.proof, 'none');
    assert.equal(result.differenceCount, result.differences.length);
    return result.differences.map(({ path, field, expected, actual }) => [path, field, expected, actual]);
  };

  it('finds every layer equal: links, devices, whiteouts, opaque, capabilities, sparse files', async () => {
    assert.equal(directories.length, image.layers.length);
    for (const index of image.layers.keys()) {
      const result = await prove(index);
      assert.deepEqual(result.differences, [], `layer ${index}`);
      assert.equal(result.proof, 'content');
      assert.equal(result.fingerprint, fingerprintDirectory(layerAt(index).directory));
      assert.deepEqual(digestDirectory(layerAt(index).directory), {
        fingerprint: result.fingerprint,
        content: result.content,
      });
    }
  });

  it('names one changed byte whose times were set back', async () => {
    const path = 'd/suid';
    const file = join(layerAt(1).directory, path);
    const { atime, mtime } = await lstat(file);
    const before = digestDirectory(layerAt(1).directory);
    const write = async (text: string): Promise<void> => {
      const handle = await open(file, 'r+');
      await handle.write(text, 0);
      await handle.close();
      await run('chmod', ['4755', file]);
      await utimes(file, atime, mtime);
    };
    let during = before;
    const differences = await tamper(
      async () => {
        await write('sUid');
        during = digestDirectory(layerAt(1).directory);
      },
      () => write('suid'),
    );
    assert.deepEqual(
      differences.map(([at, field]) => [at, field]),
      [
        ['/d/suid', 'sha256'],
        ['/d/suid2', 'sha256'],
      ],
    );
    assert.notEqual(differences[0]?.[2], differences[0]?.[3]);
    assert.notEqual(during.fingerprint, before.fingerprint);
    assert.notEqual(during.content, before.content);
    const restored = digestDirectory(layerAt(1).directory);
    assert.equal(restored.content, before.content);
    assert.notEqual(restored.fingerprint, before.fingerprint, 'ctime tells that something happened');
  });

  it('names mode, owner, size and link target', async () => {
    const setMode = (mode: string) => (root: string) => run('chmod', [mode, join(root, 'd/null')]);
    assert.deepEqual(await tamper(setMode('4666'), setMode('666')), [['/d/null', 'mode', '0666', '4666']]);
    const setOwner = (uid: number, gid: number) => (root: string) => lchown(join(root, 'd/sym'), uid, gid);
    assert.deepEqual(await tamper(setOwner(1, 2), setOwner(9, 0)), [
      ['/d/sym', 'uid', '9', '1'],
      ['/d/sym', 'gid', '0', '2'],
      ['/d/symhard', 'uid', '9', '1'],
      ['/d/symhard', 'gid', '0', '2'],
    ]);
    const setSize = (size: number) => (root: string) => truncate(join(root, 'd/empty'), size);
    const grown = await tamper(setSize(1), setSize(0));
    assert.deepEqual(
      grown.map(([path, field]) => [path, field]),
      [
        ['/d/empty', 'size'],
        ['/d/empty', 'sha256'],
      ],
    );
    const relink = (target: string) => async (root: string) => {
      await rm(join(root, 'ln'));
      await symlink(target, join(root, 'ln'));
    };
    assert.deepEqual(await tamper(relink('/etc'), relink('/d')), [['/ln', 'target', '/d', '/etc']]);
  });

  it('names capabilities that came, changed or went, and other attributes', async () => {
    const hex = CAPABILITY.toString('hex');
    const set = (path: string, name: string, value: string) => (root: string) =>
      run('setfattr', ['-n', name, '-v', value, join(root, path)]);
    const remove = (path: string, name: string) => (root: string) => run('setfattr', ['-x', name, join(root, path)]);
    const name = 'security.capability';
    assert.deepEqual(await tamper(remove('d/cap', name), set('d/cap', name, `0x${hex}`)), [
      ['/d/cap', 'xattr', `${name}=${hex}`, `${name}=`],
    ]);
    assert.deepEqual(await tamper(set('d/twice', name, `0x${hex}`), remove('d/twice', name)), [
      ['/d/twice', 'xattr', `${name}=`, `${name}=${hex}`],
    ]);
    assert.deepEqual(await tamper(set('d', 'user.new', '0x41'), remove('d', 'user.new')), [
      ['/d', 'xattr', 'user.new=', 'user.new=41'],
    ]);
    const redirect = 'trusted.overlay.redirect';
    assert.deepEqual(await tamper(set('back', redirect, '/d'), remove('back', redirect)), [
      ['/back', 'xattr', `${redirect}=`, `${redirect}=2f64`],
    ]);
    const opaque = 'trusted.overlay.opaque';
    assert.deepEqual(await tamper(remove('opaque', opaque), set('opaque', opaque, 'y')), [
      ['/opaque', 'opaque', 'true', 'false'],
    ]);
    assert.deepEqual(await tamper(set('again', opaque, 'y'), remove('again', opaque)), [
      ['/again', 'opaque', 'false', 'true'],
    ]);
  });

  it('names attributes of a directory that no tar names, which are those of the layer below or plain', async () => {
    const octal = async (path: string) => ((await lstat(join(layerAt(1).directory, path))).mode & 0o7777).toString(8);
    // Through the link of the layer below to the directory that it leads to, whose mode is another.
    assert.deepEqual([await octal('lib'), await octal('etc'), await octal('etc/new')], ['751', '755', '755']);
    const chmod = (mode: string, path: string) => (root: string) => run('chmod', [mode, join(root, path)]);
    assert.deepEqual(await tamper(chmod('777', 'etc'), chmod('755', 'etc')), [['/etc', 'mode', '0755', '0777']]);
    assert.deepEqual(await tamper(chmod('755', 'lib'), chmod('751', 'lib')), [['/lib', 'mode', '0751', '0755']]);
    const chown = (uid: number, gid: number) => (root: string) => lchown(join(root, 'etc/new'), uid, gid);
    assert.deepEqual(await tamper(chown(5, 6), chown(0, 0)), [
      ['/etc/new', 'uid', '0', '5'],
      ['/etc/new', 'gid', '0', '6'],
    ]);
    const acl = (value: string) => (root: string) => run('setfattr', ['-n', 'user.a', '-v', value, join(root, 'etc')]);
    const noAcl = (root: string) => run('setfattr', ['-x', 'user.a', join(root, 'etc')]);
    assert.deepEqual(await tamper(acl('0x41'), noAcl), [['/etc', 'xattr', 'user.a=', 'user.a=41']]);
  });

  it('tells by a digest whether the layers below are what a proof rested on', async () => {
    const before = (await prove(1)).implied;
    assert.ok(before.paths.includes('etc') && before.paths.includes('lib'));
    const below = join(layerAt(0).directory, 'etc');
    await run('chmod', ['700', below]);
    const during = await prove(1);
    await run('chmod', ['755', below]);
    assert.notEqual(during.implied.digest, before.digest);
    assert.deepEqual(
      during.differences.map(({ path, expected, actual }) => [path, expected, actual]),
      [['/etc', '0700', '0755']],
    );
    assert.deepEqual((await prove(1)).implied, before);
  });

  it('accepts a capability that the hard link took away or left', async () => {
    const path = join(layerAt(1).directory, 'd/linkedcap');
    await run('setfattr', ['-n', 'security.capability', '-v', `0x${CAPABILITY.toString('hex')}`, path]);
    assert.equal((await prove(1)).proof, 'content');
    await run('setfattr', ['-x', 'security.capability', path]);
    assert.equal((await prove(1)).proof, 'content');
  });

  it('names extra, missing and exchanged entries', async () => {
    const extra = (root: string) => writeFile(join(root, 'etc/new/evil'), 'evil');
    assert.deepEqual(await tamper(extra, (root) => rm(join(root, 'etc/new/evil'))), [
      ['/etc/new/evil', 'extra', null, 'file'],
    ]);
    const whiteout = (root: string) => run('mknod', [join(root, 'etc/conf'), 'c', '0', '0']);
    assert.deepEqual(await tamper(whiteout, (root) => rm(join(root, 'etc/conf'))), [
      ['/etc/conf', 'extra', null, 'char'],
    ]);
    const unhide = (root: string) => rm(join(root, 'etc/gone'));
    assert.deepEqual(await tamper(unhide, (root) => run('mknod', [join(root, 'etc/gone'), 'c', '0', '0'])), [
      ['/etc/gone', 'missing', 'whiteout', null],
    ]);
    const removeFile = (root: string) => rm(join(root, 'd/twice'));
    assert.deepEqual(await tamper(removeFile, (root) => writeFile(join(root, 'd/twice'), 'second one')), [
      ['/d/twice', 'missing', 'file', null],
    ]);
    const removeTree = (root: string) => rm(join(root, 'etc/new'), { recursive: true });
    const remakeTree = async (root: string) => {
      await mkdir(join(root, 'etc/new'));
      await writeFile(join(root, 'etc/new/implicit'), 'parents that nobody named');
    };
    assert.deepEqual(await tamper(removeTree, remakeTree), [
      ['/etc/new', 'missing', 'directory', null],
      ['/etc/new/implicit', 'missing', 'file', null],
    ]);
    const content = await readFile(join(layerAt(1).directory, 'back/inside'));
    const flatten = async (root: string) => {
      await rm(join(root, 'back'), { recursive: true });
      await writeFile(join(root, 'back'), 'x');
    };
    const unflatten = async (root: string) => {
      await rm(join(root, 'back'));
      await run('mkdir', ['-m', '755', join(root, 'back')]);
      await writeFile(join(root, 'back/inside'), content);
    };
    assert.deepEqual(await tamper(flatten, unflatten), [
      ['/back', 'type', 'directory', 'file'],
      ['/back/inside', 'missing', 'file', null],
    ]);
  });

  it('takes a hard link that was broken up for what it is worth: its content and attributes', async () => {
    const breakUp = (text: string) => async (root: string) => {
      await rm(join(root, 'd/suid2'));
      await writeFile(join(root, 'd/suid2'), text);
      await run('chmod', ['4755', join(root, 'd/suid2')]);
    };
    const { directory } = layerAt(1);
    await breakUp('suid')(directory);
    assert.equal((await prove(1)).proof, 'content');
    const relink = async (root: string) => {
      await rm(join(root, 'd/suid2'));
      await link(join(root, 'd/suid'), join(root, 'd/suid2'));
    };
    const differences = await tamper(breakUp('evil'), relink);
    assert.deepEqual(
      differences.map(([path, field]) => [path, field]),
      [['/d/suid2', 'sha256']],
    );
  });

  it('counts all differences and names as many as asked for', async () => {
    const { directory } = layerAt(0);
    for (let index = 0; index < 20; index += 1) await writeFile(join(directory, `extra-${index}`), '');
    const result = await prove(0, { maxDifferences: 3 });
    for (let index = 0; index < 20; index += 1) await rm(join(directory, `extra-${index}`));
    assert.equal(result.differenceCount, 20);
    assert.equal(result.differences.length, 3);
  });

  it('refuses another blob, another diffID and a layer of another directory', async () => {
    const { layer, directory } = layerAt(1);
    const other = layerAt(0);
    const blobOf = (of: OciLayer) => ({ path: join(image.directory, 'blobs/sha256', of.digest.slice(7)) });
    const code = 'ERR_EVIDENCE_DIGEST';
    await assert.rejects(proveLayer({ ...layer, blob: blobOf(other.layer), lowers: [], directory }), { code });
    await assert.rejects(
      proveLayer({ ...layer, diffId: other.layer.diffId, blob: blobOf(layer), lowers: [], directory }),
      {
        code,
      },
    );
    const crossed = await proveLayer({ ...layer, blob: blobOf(layer), lowers: [], directory: other.directory });
    assert.equal(crossed.proof, 'none');
    await assert.rejects(proveLayer({ ...layer, blob: { path: '/dev/null' }, lowers: [], directory }), {
      code: 'ERR_EVIDENCE_MALFORMED',
    });
    await assert.rejects(proveLayer({ ...layer, blob: blobOf(layer), lowers: [], directory, maxBytes: 1000 }), {
      code: 'ERR_EVIDENCE_LIMIT',
    });
  });
});
