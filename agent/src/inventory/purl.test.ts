import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOsId } from './os-release.ts';
import { formatPurl } from './purl.ts';

test('a package URL encodes all but letters, digits and .-_~:', () => {
  assert.equal(
    formatPurl({
      type: 'deb',
      namespace: ['debian'],
      name: "a+b'(1)*!",
      version: '1:2~rc1+x y',
      qualifiers: { arch: 'all' },
    }),
    'pkg:deb/debian/a%2Bb%27%281%29%2A%21@1:2~rc1%2Bx%20y?arch=all',
  );
  assert.equal(formatPurl({ type: 'npm', namespace: ['@s'], name: 'a/b@c?d#e' }), 'pkg:npm/%40s/a%2Fb%40c%3Fd%23e');
});

test('a package URL sorts qualifiers and leaves out empty parts', () => {
  assert.equal(
    formatPurl({ type: 'x', namespace: [''], name: 'n', qualifiers: { b: '2', a: '1', c: '', d: undefined } }),
    'pkg:x/n?a=1&b=2',
  );
});

test('os-release gives its last ID, folded as package URLs have it', () => {
  assert.equal(parseOsId('NAME=x\nID=debian\n'), 'debian');
  assert.equal(parseOsId('ID="rhel"\n'), 'redhat');
  assert.equal(parseOsId("ID='opensuse-leap'"), 'opensuse');
  assert.equal(parseOsId('ID=one\nID=Two\n'), 'two');
  for (const text of ['', 'ID=', 'XID=a', 'ID=a b', 'ID="a', '# ID=a', `ID=${'a'.repeat(65)}`]) {
    assert.equal(parseOsId(text), undefined, text);
  }
});
