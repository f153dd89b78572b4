import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePreAuth } from './envelope.ts';

test('the pre-authentication encoding is that of the DSSE specification', () => {
  const bytes = encodePreAuth('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(bytes.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('lengths are counted in bytes', () => {
  assert.equal(encodePreAuth('ä', Buffer.from('ö')).toString(), 'DSSEv1 2 ä 2 ö');
});
