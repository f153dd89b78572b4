import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { encodeClaimsSet } from '@holdfast/evidence';
import { FakeHostFiles } from './fake-host-files.test-support.ts';
import { collectHostClaims } from './host-claims.ts';

const hardware = {
  system: { vendor: 'ACME', model: 'Anvil 3000', serial: 'SN-1' },
  bios: { vendor: 'ACME', version: '1.2', date: '2026-01-01' },
  cpu: { vendor: 'GenuineIntel', brand: 'Xeon', cores: 8 },
};
const nothing = { system: null, bios: null, cpu: null };
const osRelease = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID=\'12\'\n# comment\n';

test('a host is described, its serial number and machine-id as digests only', () => {
  const files = new FakeHostFiles({
    '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
    '/etc/os-release': osRelease,
    '/proc/sys/kernel/osrelease': '6.1.0-25-amd64\n',
  });
  const claims = collectHostClaims(files, 'worker-1', hardware, [{ name: 'containerd', version: '1.6.20' }]);
  assert.deepEqual(claims.os, { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' });
  assert.equal(claims.machineId, hash('sha256', '0123456789abcdef0123456789abcdef'));
  assert.equal(claims.serial, hash('sha256', 'SN-1'));
  assert.equal(claims.kernelRelease, '6.1.0-25-amd64');
  assert.deepEqual(claims.runtimes, [{ name: 'containerd', version: '1.6.20' }]);
  assert.doesNotMatch(encodeClaimsSet(claims).toString(), /SN-1|0123456789abcdef0123456789abcdef/);
});

test('a host that tells nothing has nulls, and its claims-set is still valid', () => {
  const claims = collectHostClaims(new FakeHostFiles({}), 'worker-1', nothing, []);
  const { machineId, vendor, serial, cpu, bios, os } = claims;
  assert.deepEqual(
    { machineId, vendor, serial, cpu, bios, os },
    { machineId: null, vendor: null, serial: null, cpu: null, bios: null, os: null },
  );
  assert.ok(encodeClaimsSet(claims));
});

test('what systeminformation writes for nothing counts as nothing', () => {
  const blank = {
    system: { vendor: '', model: '-', serial: '-' },
    bios: { vendor: '', version: '', date: '' },
    cpu: null,
  };
  const claims = collectHostClaims(new FakeHostFiles({}), 'worker-1', blank, []);
  assert.deepEqual([claims.vendor, claims.model, claims.serial, claims.bios], [null, null, null, null]);
});

test('long and odd values are cut to what a claims-set takes', () => {
  const files = new FakeHostFiles({ '/usr/lib/os-release': `ID=${'x'.repeat(2_000)}\nID_LIKE="unclosed\n` });
  const claims = collectHostClaims(files, 'worker-1', hardware, []);
  assert.equal(claims.os?.id.length, 256);
  assert.ok(encodeClaimsSet(claims));
});
