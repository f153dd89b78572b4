import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startIma } from '../ima/ima-progress.ts';
import { type BootSession, createBootSessionStore } from './boot-session-store.ts';
import { createEnrolmentStore } from './enrolment-store.ts';
import { openDatabase } from './open-database.ts';

const UEID = 'AQ';
const { replay } = startIma();
const session: BootSession = {
  akName: '000b',
  resetCount: 7,
  restartCount: 1,
  ima: {
    replay: {
      ...replay,
      entries: 12,
      extended: 11,
      values: { native: Buffer.alloc(32, 1), sha1Padded: Buffer.alloc(32, 2) },
    },
    violations: 3,
    aggregate: true,
  },
  outcome: 'matched',
  userspaceLog: Buffer.from('log'),
};

function openStore() {
  const database = openDatabase(':memory:');
  createEnrolmentStore(database).saveNode({
    ueid: UEID,
    label: 'worker-1',
    ekName: '000b01',
    ekPublic: Buffer.from('ek'),
    ekCertificates: [],
    akPublic: Buffer.from('ak'),
    signingPublic: Buffer.from('key'),
    kid: 'kid-1',
    predecessors: [],
    issuedAtMs: 10,
    expiresAtMs: 20,
  });
  return { database, store: createBootSessionStore(database) };
}

test('a boot session is kept by kube node, and the next takes its place', () => {
  const { store } = openStore();
  assert.equal(store.findSession(UEID), undefined);
  for (const aggregate of [true, false, null]) {
    const next = { ...session, ima: { ...session.ima, aggregate } };
    store.saveSession(UEID, next);
    assert.deepEqual(store.findSession(UEID), next);
  }
});

test('a boot session with an outcome that nobody knows is as good as none', () => {
  const { database, store } = openStore();
  store.saveSession(UEID, session);
  database.exec("UPDATE boot_sessions SET outcome = 'other'");
  assert.equal(store.findSession(UEID), undefined);
});
