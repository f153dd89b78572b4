import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInScope, isScopePattern } from './scope.ts';

test('an exact name covers itself only', () => {
  assert.ok(isInScope('org/app', ['org/app']));
  for (const name of ['org/app-evil', 'org/ap', 'evil/org/app', 'ORG/app', 'org/app/x', 'org/appx', '']) {
    assert.ok(!isInScope(name, ['org/app']), name);
  }
});

test('a dot in a scope is a dot and no wildcard', () => {
  assert.ok(!isInScope('registryXio/app', ['registry.io/app']));
});

test('a prefix covers what lies below it and nothing beside it', () => {
  assert.ok(isInScope('org/app', ['org/*']));
  assert.ok(isInScope('org/team/app', ['org/*']));
  for (const name of ['org', 'org/', 'org-evil/app', 'evil/org/app', 'org/../evil/app', 'org/./app', 'org//app']) {
    assert.ok(!isInScope(name, ['org/*']), name);
  }
});

test('the star covers everything, and several entries are alternatives', () => {
  assert.ok(isInScope('anything', ['*']));
  assert.ok(isInScope('b/x', ['a/*', 'b/*']));
  assert.ok(!isInScope('c/x', ['a/*', 'b/*']));
  assert.ok(!isInScope('c/x', []));
});

test('only three forms are scopes', () => {
  for (const pattern of ['*', 'org/app', 'org/*', 'registry.io:5000/org/app'])
    assert.ok(isScopePattern(pattern), pattern);
  for (const pattern of ['', '/*', 'or*', '*/app', 'a/*/b', 'a b', '^org$', 'org/(a|b)'])
    assert.ok(!isScopePattern(pattern), pattern);
});
