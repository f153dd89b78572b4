import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryView, type MemoryEntry } from '../root-view/memory-view.test-support.ts';
import { collectInventory } from './collect-inventory.ts';

const STATUS = '/var/lib/dpkg/status';
const APK = '/lib/apk/db/installed';
const RPM = '/var/lib/rpm/rpmdb.sqlite';
const DEB = 'Package: aa\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n';

const limitsOf = (entries: Record<string, MemoryEntry>) => collectInventory(createMemoryView(entries)).limits;

describe('a package database', () => {
  it('that is there and no file is malformed, never none', () => {
    for (const path of [STATUS, APK, '/usr/lib/apk/db/installed', RPM, '/var/lib/rpmmanifest/container-manifest-2']) {
      const cases: [string, MemoryEntry][] = [
        [path, ''],
        [`${path}/x`, 'in a directory'],
        [path, { link: 'nowhere' }],
        [path, { link: path.slice(path.lastIndexOf('/') + 1) }],
      ];
      for (const [at, entry] of cases) {
        assert.deepEqual(limitsOf({ [at]: entry }), [`malformed ${path}`], `${at} ${JSON.stringify(entry)}`);
      }
    }
  });

  it('behind a link that leads nowhere is malformed where that link is', () => {
    assert.deepEqual(limitsOf({ '/var/lib/dpkg': { link: 'dpkg' } }), ['malformed /var/lib/dpkg']);
    assert.deepEqual(limitsOf({ '/lib/apk': { link: '/gone' } }), ['malformed /lib/apk']);
    assert.deepEqual(limitsOf({ '/var/lib/rpm': { link: '../../usr/lib/sysimage/rpm' } }), ['malformed /var/lib/rpm']);
    assert.deepEqual(limitsOf({ '/lib': { link: 'real' }, '/real/apk': { link: '/gone' } }), ['malformed /lib/apk']);
  });

  it('that is not there at all is none, and so says nothing', () => {
    assert.deepEqual(limitsOf({ '/lib': { link: 'usr/lib' }, '/bin/sh': 'x' }), []);
    assert.deepEqual(limitsOf({ '/var/lib/dpkg/available': '', '/var/lib/dpkg/info/aa.list': '' }), []);
    assert.deepEqual(limitsOf({ '/var/lib/dpkg/status.d/aa': DEB, '/var/lib/dpkg/status.d/aa.md5sums': '' }), []);
    assert.deepEqual(limitsOf({ '/var/lib/dpkg/status.d/aa': DEB, '/var/lib/dpkg/status.d/sub/x': '' }), []);
  });

  it('that is behind links and there is read', () => {
    assert.deepEqual(limitsOf({ '/var/lib/dpkg': { link: '/real' }, '/real/status': DEB }), []);
    assert.deepEqual(limitsOf({ [STATUS]: { link: '/real' }, '/real': '' }), [`malformed ${STATUS}`]);
  });
});
