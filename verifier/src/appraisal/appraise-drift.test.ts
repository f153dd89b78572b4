import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DriftEntry } from '@holdfast/evidence';
import { appraiseDrift } from './appraise-drift.ts';
import { createDrift } from './evidence.test-support.ts';
import type { FindingCode } from './finding-code.ts';

const FILE = { mode: '644', uid: 0, gid: 0, size: 1, sha256: 'a'.repeat(64) };
const base = { path: '/usr/bin/x', kind: 'added', entryType: 'file', reasons: ['newEntry'], after: FILE } as const;

const CASES: [name: string, codes: FindingCode[], entry: DriftEntry][] = [
  ['a plain new file', ['FILE_ADDED'], { ...base, reasons: ['newEntry'] }],
  ['a new directory', ['DIRECTORY_ADDED'], { ...base, entryType: 'directory', reasons: ['newEntry'] }],
  ['a new ELF file', ['EXECUTABLE_ADDED'], { ...base, reasons: ['elf', 'executable'] }],
  ['a new script', ['EXECUTABLE_ADDED'], { ...base, reasons: ['script'] }],
  ['a new shared object', ['EXECUTABLE_ADDED'], { ...base, reasons: ['sharedObject'] }],
  ['new interpreted code', ['EXECUTABLE_ADDED'], { ...base, reasons: ['interpretedCode'] }],
  ['new byte code', ['EXECUTABLE_ADDED'], { ...base, reasons: ['bytecode'] }],
  [
    'a new setuid program',
    ['SETUID_ADDED', 'EXECUTABLE_ADDED'],
    { ...base, reasons: ['elf', 'setuid'], after: { ...FILE, mode: '4755' } },
  ],
  [
    'a new file with capabilities',
    ['SETUID_ADDED', 'FILE_ADDED'],
    { ...base, reasons: ['capability'], after: { ...FILE, capability: '01' } },
  ],
  ['a new device', ['SPECIAL_FILE_ADDED'], { ...base, entryType: 'block', reasons: ['device'] }],
  ['a new file below /etc', ['CONFIG_MODIFIED'], { ...base, path: '/etc/x', reasons: ['configuration'] }],
  ['a new script below /etc', ['EXECUTABLE_ADDED'], { ...base, path: '/etc/x', reasons: ['configuration', 'script'] }],
  ['a cron file', ['AUTOSTART_CHANGED'], { ...base, path: '/etc/cron.d/x', reasons: ['scheduledTask'] }],
  ['a unit', ['AUTOSTART_CHANGED'], { ...base, reasons: ['serviceUnit'] }],
  ['a login script', ['AUTOSTART_CHANGED'], { ...base, reasons: ['shellStartup'] }],
  ['a list of SSH keys', ['CREDENTIALS_CHANGED'], { ...base, reasons: ['credentials'] }],
  ['a CA certificate', ['CA_STORE_MODIFIED'], { ...base, reasons: ['certificateStore'] }],
  ['ld.so.preload', ['PRELOAD_CONFIGURED'], { ...base, path: '/etc/ld.so.preload', reasons: ['preload'] }],
  ['a package database', ['PACKAGE_DATABASE_MODIFIED'], { ...base, kind: 'modified', reasons: ['packageDatabase'] }],
  ['an unreadable file', ['ENTRY_UNREADABLE', 'FILE_ADDED'], { ...base, reasons: ['unreadable'] }],
  [
    'an owned file',
    ['OWNED_FILE_MODIFIED'],
    { ...base, kind: 'modified', reasons: ['imageContent'], ownedBy: 'pkg:deb/z@1' },
  ],
  ['a file of the image', ['IMAGE_FILE_MODIFIED'], { ...base, kind: 'modified', reasons: ['imageContent'] }],
  [
    'code of the image',
    ['EXECUTABLE_MODIFIED'],
    { ...base, kind: 'modified', reasons: ['imageContent', 'interpretedCode'] },
  ],
  [
    'an owned configuration file',
    ['CONFIG_MODIFIED'],
    { ...base, path: '/etc/x', kind: 'modified', reasons: ['configuration'], ownedBy: 'pkg:deb/z@1' },
  ],
  [
    'an owned script below /etc',
    ['OWNED_FILE_MODIFIED'],
    { ...base, path: '/etc/init.d/x', kind: 'modified', reasons: ['script'], ownedBy: 'pkg:deb/z@1' },
  ],
  [
    'an owned file that is gone',
    ['OWNED_FILE_REMOVED'],
    { path: '/usr/bin/x', kind: 'removed', entryType: 'none', reasons: ['removed'], ownedBy: 'pkg:deb/z@1' },
  ],
  [
    'a file of the image that is gone',
    ['IMAGE_FILE_REMOVED'],
    { path: '/app/x', kind: 'removed', entryType: 'none', reasons: ['removed'] },
  ],
  [
    'a configuration file that is gone',
    ['CONFIG_MODIFIED'],
    { path: '/etc/x', kind: 'removed', entryType: 'none', reasons: ['removed'] },
  ],
  [
    'a directory that was replaced',
    ['DIRECTORY_REPLACED'],
    { ...base, kind: 'opaque', entryType: 'directory', reasons: ['opaque'] },
  ],
  [
    'another mode',
    ['ATTRIBUTES_CHANGED'],
    { ...base, kind: 'attributes', reasons: ['mode'], before: { ...FILE, mode: '600' } },
  ],
  [
    'setuid alone',
    ['SETUID_ADDED'],
    { ...base, kind: 'attributes', reasons: ['setuid'], before: FILE, after: { ...FILE, mode: '4644' } },
  ],
  [
    'setuid that was there before',
    ['ATTRIBUTES_CHANGED'],
    {
      ...base,
      kind: 'attributes',
      reasons: ['mode'],
      before: { ...FILE, mode: '4755' },
      after: { ...FILE, mode: '4777' },
    },
  ],
  [
    'setuid for another user',
    ['SETUID_ADDED'],
    {
      ...base,
      kind: 'attributes',
      reasons: ['owner'],
      before: { ...FILE, mode: '4755', uid: 1 },
      after: { ...FILE, mode: '4755' },
    },
  ],
  [
    'a directory whose files take its group',
    ['DIRECTORY_ADDED'],
    { ...base, entryType: 'directory', reasons: ['newEntry'], after: { ...FILE, mode: '2755' } },
  ],
  [
    'a link in the place of a directory',
    ['DIRECTORY_REPLACED'],
    { ...base, kind: 'modified', entryType: 'symlink', reasons: ['imageContent', 'opaque', 'programLink'] },
  ],
  ['a link among programs', ['EXECUTABLE_ADDED'], { ...base, entryType: 'symlink', reasons: ['programLink'] }],
  [
    'an alternative that leads elsewhere',
    ['EXECUTABLE_MODIFIED'],
    {
      ...base,
      path: '/etc/alternatives/x',
      kind: 'modified',
      entryType: 'symlink',
      reasons: ['configuration', 'programLink'],
    },
  ],
  [
    'setuid that was taken away',
    ['ATTRIBUTES_CHANGED'],
    { ...base, kind: 'attributes', reasons: ['mode'], before: { ...FILE, mode: '4755' } },
  ],
];

for (const [name, codes, entry] of CASES) {
  test(`${name} is ${codes.join(' and ')}`, () => {
    const findings = appraiseDrift(createDrift([entry]));
    assert.deepEqual(
      findings.map(({ code }) => code),
      codes,
    );
    for (const { path } of findings) assert.equal(path, entry.path);
  });
}

test('a changed file is named with its package and both hashes', () => {
  const after = { ...FILE, sha256: 'b'.repeat(64) };
  const entry: DriftEntry = {
    ...base,
    kind: 'modified',
    reasons: ['imageContent'],
    ownedBy: 'pkg:deb/z@1',
    before: FILE,
    after,
  };
  const [finding] = appraiseDrift(createDrift([entry]));
  assert.deepEqual([finding?.purl, finding?.expected, finding?.actual], ['pkg:deb/z@1', FILE.sha256, after.sha256]);
});
