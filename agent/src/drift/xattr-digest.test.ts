import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestXattrs } from './xattr-digest.ts';

const value = (text: string) => Buffer.from(text, 'latin1');
const NOTES = {
  'trusted.overlay.origin': value('x'),
  'trusted.overlay.impure': value('y'),
  'trusted.overlay.opaque': value('y'),
  'security.capability': value('c'),
  'security.selinux': value('label'),
};

test('notes of overlayfs, labels and capabilities are no part of it', () => {
  assert.equal(digestXattrs({}), undefined);
  assert.equal(digestXattrs(NOTES), undefined);
});

test('what a container sees is: ACLs, names of users, and those of overlayfs that it set itself', () => {
  const names = [
    'system.posix_acl_access',
    'system.posix_acl_default',
    'user.x',
    'user.overlay.opaque',
    'trusted.x',
    'trusted.overlay.overlay.opaque',
    'trusted.overlay.protattr',
  ];
  const digests = names.map((name) => digestXattrs({ ...NOTES, [name]: value('1') }));
  assert.equal(new Set(digests).size, names.length);
  assert.ok(!digests.includes(undefined));
});

test('it hangs on names and values, not on their order', () => {
  const [a, b] = [value('1'), value('2')];
  assert.equal(digestXattrs({ 'user.a': a, 'user.b': b }), digestXattrs({ 'user.b': b, 'user.a': a }));
  assert.notEqual(digestXattrs({ 'user.a': a, 'user.b': b }), digestXattrs({ 'user.a': b, 'user.b': a }));
  assert.equal(digestXattrs({ 'user.a': a }), createHash('sha256').update('user.a\x0031\n').digest('hex'));
});
