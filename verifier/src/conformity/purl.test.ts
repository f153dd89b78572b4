import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRandom, mutate } from '../trust/trust.fixture.ts';
import { VerifierError } from '../verifier-error.ts';
import { formatPurl, parsePurl } from './purl.ts';

const isRefused = (error: unknown) => error instanceof VerifierError && error.code === 'ERR_VERIFIER_SBOM';
const parts = (text: string) => {
  const { type, namespace, name, version, qualifiers, subpath } = parsePurl(text);
  return { type, namespace, name, version, qualifiers: Object.fromEntries(qualifiers), subpath };
};

test('each part is read and decoded', () => {
  assert.deepEqual(
    parts('pkg:deb/debian/libstdc%2B%2B6@1%3A12.2~0-14%2Bb1?arch=amd64&distro=debian-12&empty=#usr/./../lib'),
    {
      type: 'deb',
      namespace: 'debian',
      name: 'libstdc++6',
      version: '1:12.2~0-14+b1',
      qualifiers: { arch: 'amd64', distro: 'debian-12' },
      subpath: 'usr/lib',
    },
  );
});

test('what tools write in different ways reads the same', () => {
  const canonical = 'pkg:npm/%40scope/name@1.0.0';
  for (const text of [
    'pkg:npm/@scope/name@1.0.0',
    'PKG:NPM/%40scope/name@1.0.0',
    'pkg://npm/%40scope//name@1.0.0',
    canonical,
  ]) {
    assert.equal(formatPurl(parsePurl(text)), canonical);
  }
  assert.deepEqual(parts('pkg:npm/@scope/name'), {
    type: 'npm',
    namespace: '@scope',
    name: 'name',
    version: null,
    qualifiers: {},
    subpath: null,
  });
  assert.equal(
    formatPurl(parsePurl('pkg:deb/debian/bsdutils@1:2.38.1-5%2Bdeb12u3')),
    formatPurl(parsePurl('pkg:deb/debian/bsdutils@1%3A2.38.1-5+deb12u3')),
  );
});

test('a plus is a plus and no space', () => {
  assert.equal(parsePurl('pkg:deb/debian/g++@1+b1').version, '1+b1');
});

test('an encoded slash separates where the name is a path', () => {
  for (const [text, canonical] of [
    ['pkg:npm/%40babel%2Fcore@7.0.0', 'pkg:npm/%40babel/core@7.0.0'],
    ['pkg:golang/github.com%2Fa%2Fb@v1', 'pkg:golang/github.com/a/b@v1'],
    ['pkg:golang/github.com/a%2fb@v1', 'pkg:golang/github.com/a/b@v1'],
    ['pkg:composer/symfony%2Fconsole@6', 'pkg:composer/symfony/console@6'],
    ['pkg:npm/a%252Fb@1', 'pkg:npm/a%252Fb@1'],
  ] as const) {
    assert.equal(formatPurl(parsePurl(text)), canonical);
  }
});

test('an empty qualifier is passed over', () => {
  for (const end of ['arch=amd64&', '&arch=amd64', 'arch=amd64&&distro=']) {
    assert.deepEqual(parts(`pkg:deb/debian/a@1?${end}`).qualifiers, { arch: 'amd64' });
  }
});

test('the canonical form sorts qualifiers and encodes what must be', () => {
  assert.equal(formatPurl(parsePurl('pkg:deb/a/b@1?z=1&arch=x%20y')), 'pkg:deb/a/b@1?arch=x%20y&z=1');
  assert.equal(formatPurl(parsePurl('pkg:generic/a%21%27%28%29%2A@1#x%23/y')), 'pkg:generic/a%21%27%28%29%2A@1#x%23/y');
  assert.equal(formatPurl(parsePurl('pkg:golang/github.com/a/b@v1')), 'pkg:golang/github.com/a/b@v1');
});

for (const [what, text] of [
  ['nothing', ''],
  ['another scheme', 'npm:a@1'],
  ['no type', 'pkg:name@1'],
  ['a type with a space', 'pkg:n pm/name'],
  ['a type that begins with a digit', 'pkg:1npm/name'],
  ['no name', 'pkg:npm/'],
  ['broken percent-encoding', 'pkg:npm/a%2@1'],
  ['percent-encoding that is no UTF-8', 'pkg:npm/a%ff@1'],
  ['an encoded slash in a segment', 'pkg:maven/a%2Fb/c@1'],
  ['an encoded slash in the name', 'pkg:pypi/a%2Fb@1'],
  ['an encoded slash behind the distribution', 'pkg:deb/debian/x%2Fbash@1'],
  ['two encoded slashes in a row', 'pkg:npm/a%2F%2Fb@1'],
  ['an encoded slash at the end', 'pkg:npm/a%2F@1'],
  ['a slash that is encoded beside one that is not', 'pkg:golang/a/%2Fb@1'],
  ['a control character', 'pkg:npm/a\u0007@1'],
  ['an encoded control character', 'pkg:npm/a%0Ab@1'],
  ['an encoded bidirectional override', 'pkg:npm/a%E2%80%AEb@1'],
  ['a lone surrogate', 'pkg:npm/a\ud800@1'],
  ['a qualifier twice', 'pkg:npm/a@1?arch=x&Arch=y'],
  ['a qualifier without a name', 'pkg:npm/a@1?=x'],
  ['a qualifier without a value sign', 'pkg:npm/a@1?arch'],
  ['too many qualifiers', `pkg:npm/a@1?${Array.from({ length: 33 }, (_, i) => `a${i}=1`).join('&')}`],
  ['too many characters', `pkg:npm/${'a'.repeat(4096)}`],
] as const) {
  test(`a purl with ${what} is refused`, () => {
    assert.throws(() => parsePurl(text), isRefused);
  });
}

test('random and mutated text is read or refused, and what is read keeps its canonical form', () => {
  const good = Buffer.from('pkg:deb/debian/libstdc%2B%2B6@1%3A12.2~0-14?arch=amd64&distro=debian-12#usr/lib');
  const random = makeRandom(7);
  const alphabet = 'pkg:/@?#%&=+~.-_aZ09é\u202e\u0000';
  const texts = Array.from(
    { length: 2000 },
    () => `pkg:${Array.from({ length: random() % 40 }, () => alphabet[random() % alphabet.length]).join('')}`,
  );
  for (const text of [...texts, ...[...mutate(good, 1)].map((bytes) => bytes.toString('latin1'))]) {
    let canonical: string;
    try {
      canonical = formatPurl(parsePurl(text));
    } catch (error) {
      assert.ok(isRefused(error), `${text}: ${String(error)}`);
      continue;
    }
    assert.equal(formatPurl(parsePurl(canonical)), canonical, text);
  }
});

test('long hostile text comes to an end', () => {
  for (const part of ['%41', '/', '@', '&', '#', '?', 'a=', '..//']) {
    try {
      parsePurl(`pkg:npm/${part.repeat(4000 / part.length)}`);
    } catch (error) {
      assert.ok(isRefused(error));
    }
  }
});
