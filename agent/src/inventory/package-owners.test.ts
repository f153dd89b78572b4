import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toBytePath } from '@holdfast/evidence/inventory';
import { createMemoryView, type MemoryEntry } from '../root-view/memory-view.test-support.ts';
import { createPackageOwners, type FileOwner } from './package-owners.ts';

const MD5 = 'a'.repeat(32);
const STATUS = '/var/lib/dpkg/status';
const INFO = '/var/lib/dpkg/info';

function stanza(name: string, more = ''): string {
  return `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n${more}`;
}

function ownerOf(entries: Record<string, MemoryEntry>, path: string): FileOwner | undefined {
  return createPackageOwners(createMemoryView(entries)).ownerOf(toBytePath(path));
}

const MERGED: Record<string, MemoryEntry> = {
  '/lib': { link: 'usr/lib' },
  '/usr/lib/libz.so.1': 'z',
  [STATUS]: stanza('zlib1g', 'Multi-Arch: same\nConffiles:\n /etc/z.conf bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb obsolete\n'),
  [`${INFO}/zlib1g:amd64.list`]: '/.\n/lib\n/lib/libz.so.1\n/etc/z.conf\n/usr/share/doc/z\n',
  [`${INFO}/zlib1g:amd64.md5sums`]: `${MD5}  lib/libz.so.1\n`,
};
const ZLIB = 'pkg:deb/zlib1g@1?arch=amd64';

describe('package owners', () => {
  it('find the owner under the name on disk and under the name listed', () => {
    for (const path of ['/usr/lib/libz.so.1', '/lib/libz.so.1']) {
      const owner = ownerOf(MERGED, path);
      assert.equal(owner?.purl, ZLIB, path);
      assert.deepEqual(owner.digest, { algorithm: 'md5', hex: MD5 });
    }
  });

  it('know the digests of configuration files, and files without digest', () => {
    assert.deepEqual(ownerOf(MERGED, '/etc/z.conf')?.digest, { algorithm: 'md5', hex: 'b'.repeat(32) });
    const doc = ownerOf(MERGED, '/usr/share/doc/z');
    assert.equal(doc?.purl, ZLIB);
    assert.equal(doc.digest, undefined);
  });

  it('know nothing of paths that nobody owns', () => {
    for (const path of ['/', '/usr/lib/other', '/nowhere/x']) assert.equal(ownerOf(MERGED, path), undefined, path);
  });

  it('take the plain list name for packages of one architecture', () => {
    const entries = { [STATUS]: stanza('aa'), [`${INFO}/aa.list`]: '/usr/bin/aa\n' };
    assert.equal(ownerOf(entries, '/usr/bin/aa')?.purl, 'pkg:deb/aa@1?arch=amd64');
  });

  it('follow diversions but not for the package that diverts', () => {
    const entries = {
      [STATUS]: `${stanza('dash')}\n${stanza('bash')}`,
      [`${INFO}/dash.list`]: '/bin/sh\n',
      [`${INFO}/bash.list`]: '/bin/sh\n',
      [`${INFO}/bash.md5sums`]: `${MD5}  bin/sh\n`,
      '/var/lib/dpkg/diversions': '/bin/sh\n/bin/sh.distrib\ndash\n',
    };
    assert.equal(ownerOf(entries, '/bin/sh')?.purl, 'pkg:deb/dash@1?arch=amd64');
    const diverted = ownerOf(entries, '/bin/sh.distrib');
    assert.equal(diverted?.purl, 'pkg:deb/bash@1?arch=amd64');
    assert.deepEqual(diverted.digest, { algorithm: 'md5', hex: MD5 });
  });

  it('read distroless images, whose lists are checksum files', () => {
    const entries = {
      '/var/lib/dpkg/status.d/tzdata': 'Package: tzdata\nArchitecture: all\nVersion: 2024a\n',
      '/var/lib/dpkg/status.d/tzdata.md5sums': `${MD5}  usr/share/zoneinfo/UTC\n`,
    };
    const owner = ownerOf(entries, '/usr/share/zoneinfo/UTC');
    assert.equal(owner?.purl, 'pkg:deb/tzdata@2024a?arch=all');
    assert.deepEqual(owner.digest, { algorithm: 'md5', hex: MD5 });
  });

  it('read apk files and their SHA-1', () => {
    const sha1 = Buffer.alloc(20, 7);
    const entries = {
      '/lib/apk/db/installed': `P:musl\nV:1.2-r0\nA:x86_64\nF:lib\nR:ld-musl.so.1\na:0:0:755\nZ:Q1${sha1.toString('base64')}\nR:plain\n\n`,
    };
    assert.deepEqual(ownerOf(entries, '/lib/ld-musl.so.1')?.digest, { algorithm: 'sha1', hex: sha1.toString('hex') });
    const plain = ownerOf(entries, '/lib/plain');
    assert.equal(plain?.purl, 'pkg:apk/musl@1.2-r0?arch=x86_64');
    assert.equal(plain.digest, undefined);
  });

  it('name the databases, and none where there is none', () => {
    assert.deepEqual(createPackageOwners(createMemoryView(MERGED)).databases, [STATUS]);
    assert.deepEqual(createPackageOwners(createMemoryView({ '/x': '' })).databases, []);
  });

  it('survive lists that were made to break them', () => {
    const entries = {
      [STATUS]: stanza('aa'),
      [`${INFO}/aa.list`]: '/\n/..\n/../etc/x\n//\nrelative\n/a/./b\n/a/../c\n/a\0b\n/loop/x\n/ok\n',
      '/loop': { link: 'loop' },
    };
    assert.equal(ownerOf(entries, '/ok')?.purl, 'pkg:deb/aa@1?arch=amd64');
  });
});
