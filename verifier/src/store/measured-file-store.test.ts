import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnrolmentStore } from './enrolment-store.ts';
import { createMeasuredFileStore } from './measured-file-store.ts';
import { openDatabase } from './open-database.ts';

const key = (byte: number) => Buffer.alloc(16, byte).toString('base64url');
const filesOf = (keys: string[], agentFiles: string[]) => ({
  keys: new Set(keys),
  agentFiles: new Set(agentFiles),
  isLimited: false,
});

function openStore() {
  const database = openDatabase(':memory:');
  for (const ueid of ['AQ', 'Ag']) {
    createEnrolmentStore(database).saveNode({
      ueid,
      label: `worker-${ueid}`,
      ekName: `000b${ueid}`,
      ekPublic: Buffer.from('ek'),
      ekCertificates: [],
      akPublic: Buffer.from('ak'),
      signingPublic: Buffer.from('key'),
      kid: `kid-${ueid}`,
      predecessors: [],
      issuedAtMs: 10,
      expiresAtMs: 20,
    });
  }
  return createMeasuredFileStore(database);
}

test('measured files are kept by kube node, more are added, and a new boot forgets them', () => {
  const store = openStore();
  const state = { agentRoot: '/opt/holdfast', known: 2, isLimited: false };
  assert.equal(store.findState('AQ'), undefined);
  store.addFiles('AQ', filesOf([key(1), key(2)], ['aa /b', 'aa /a']), state, true);
  store.addFiles('Ag', filesOf([key(9)], []), { agentRoot: null, known: 1, isLimited: true }, true);
  store.addFiles('AQ', filesOf([key(2), key(3)], ['aa /a', 'bb /c']), { ...state, known: 4 }, false);
  assert.deepEqual(
    [1, 2, 3, 9].map((byte) => store.hasKey('AQ', key(byte))),
    [true, true, true, false],
  );
  assert.deepEqual(store.listAgentFiles('AQ'), ['aa /a', 'aa /b', 'bb /c']);
  assert.deepEqual(store.findState('AQ'), { ...state, known: 4 });
  assert.deepEqual(store.findState('Ag'), { agentRoot: null, known: 1, isLimited: true });
  store.addFiles('AQ', filesOf([key(5)], []), { ...state, known: 1 }, true);
  assert.deepEqual(
    [1, 2, 3, 5].map((byte) => store.hasKey('AQ', key(byte))),
    [false, false, false, true],
  );
  assert.deepEqual(store.listAgentFiles('AQ'), []);
  assert.ok(store.hasKey('Ag', key(9)));
});
