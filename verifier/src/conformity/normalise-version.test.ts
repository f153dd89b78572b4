import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normaliseOsVersion, normaliseVersion } from './normalise-version.ts';

for (const [type, forms] of [
  ['pypi', ['1.0', '1', '1.0.0', 'v1.0', '01.0', '0!1']],
  ['pypi', ['1.0a1', '1.0-alpha.1', '1.0_ALPHA1', '1.0.a01']],
  ['pypi', ['1.0rc0', '1.0c', '1.0-preview', '1.0pre0']],
  ['pypi', ['1.0.post2', '1.0-2', '1.0.rev2', '1.0-r2']],
  ['pypi', ['1.0.dev0', '1.0dev', '1.0-dev_0']],
  ['pypi', ['1.0+local.1', '1.0+local-1', '1.0+LOCAL_1']],
  ['npm', ['1.2.3', 'v1.2.3', '=1.2.3', '1.2.3+build.1']],
  ['golang', ['v1.2.3', '1.2.3', 'go1.2.3']],
  ['golang', ['', '(devel)']],
  ['composer', ['v1.2', '1.2']],
  ['gem', ['1.15.0', '1.15.0-x86_64-linux', '1.15.0-java']],
  ['nuget', ['1.0.0-Beta', '1.0.0-beta+5']],
] as const) {
  test(`${type}: ${forms.join(', ')} are one version`, () => {
    assert.equal(new Set(forms.map((form) => normaliseVersion(type, form))).size, 1);
  });
}

for (const [type, one, other] of [
  ['pypi', '1.0', '1.0.1'],
  ['pypi', '1.0', '1!1.0'],
  ['pypi', '1.0', '1.0.post0'],
  ['pypi', '1.0', '1.0+local'],
  ['pypi', '1.0.10', '1.0.1'],
  ['pypi', '1.0a1', '1.0b1'],
  ['npm', '1.2.3', '1.2.3-beta'],
  ['golang', 'v1.2.3', 'v1.2.3+incompatible'],
  ['composer', 'v1', 'version'],
  ['gem', '1.15.0', '1.15.0.pre1'],
  ['cargo', '1.0.0', '1.0.0+meta'],
  ['deb', '1.0', '1.00'],
] as const) {
  test(`${type}: ${one} and ${other} are two versions`, () => {
    assert.notEqual(normaliseVersion(type, one), normaliseVersion(type, other));
  });
}

test('epochs come from the version or the qualifier, and must not contradict each other', () => {
  assert.equal(normaliseOsVersion('1:2', undefined), '1:2');
  assert.equal(normaliseOsVersion('2', '1'), '1:2');
  assert.equal(normaliseOsVersion('1:2', '1'), '1:2');
  assert.equal(normaliseOsVersion('0:2', undefined), '2');
  assert.equal(normaliseOsVersion('2', '0'), '2');
  assert.equal(normaliseOsVersion('1:2', '2'), undefined);
  assert.equal(normaliseOsVersion('2', 'x'), undefined);
});

test('hostile versions come to an end', () => {
  for (const part of ['1.', '1', '-', 'a1', '.post', '+a', '1!'])
    normaliseVersion('pypi', part.repeat(250 / part.length));
  for (const part of ['1.', '-', 'v', '=']) normaliseVersion('npm', part.repeat(1_000_000));
});
