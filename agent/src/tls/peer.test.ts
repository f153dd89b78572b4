import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRoles } from './peer.ts';

const rows: [string, string | undefined, string[]][] = [
  ['one role', 'URI:urn:holdfast:role:verifier', ['verifier']],
  [
    'several roles among names',
    'DNS:a, URI:urn:holdfast:role:agent, IP Address:127.0.0.1, URI:urn:holdfast:role:responder',
    ['agent', 'responder'],
  ],
  ['no names', undefined, []],
  ['an unknown role', 'URI:urn:holdfast:role:root', []],
  ['a role as the beginning of another name', 'URI:urn:holdfast:role:verifier.example', []],
  ['a role as a DNS name', 'DNS:urn:holdfast:role:verifier', []],
  ['a name that holds a separator', 'DNS:"a, URI:urn:holdfast:role:verifier"', []],
  ['another case', 'URI:urn:holdfast:role:Verifier', []],
];

for (const [name, names, roles] of rows) {
  test(`${name} gives ${roles.length === 0 ? 'no role' : roles.join(' and ')}`, () => {
    assert.deepEqual([...parseRoles(names)], roles);
  });
}
