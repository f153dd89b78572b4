import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after as afterAll, before as beforeAll, suite, test } from 'node:test';
import { computeName, parsePublic } from '@holdfast/evidence';
import type { Snapshot } from '@holdfast/proto';
import { createSnapshotWorld, type SnapshotWorld } from '../../../test/support/snapshot-fixture.ts';
import { SoftwareAttester } from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { openStores } from '../open-stores.ts';
import { loadTrust } from '../trust/load-trust.ts';
import { adoptEnrolment, judgeAdoption } from './adopt-enrolment.ts';

const [before, after] = [new SoftwareTpm(), new SoftwareTpm()].map(({ ak }) => ak.public);
assert.ok(before && after);
const nameOf = (akPublic: Buffer) => computeName(parsePublic(akPublic)).toString('hex');

test('an AK is the first one, the same, a successor that the issuer names, or a replacement', () => {
  const adopted = (predecessors: string[]) => ({ akPublic: after, predecessors });
  assert.equal(judgeAdoption(adopted([]), undefined), 'first');
  assert.equal(judgeAdoption(adopted([]), { akPublic: after }), 'same');
  assert.equal(judgeAdoption(adopted([]), { akPublic: before }), 'replaced');
  assert.equal(judgeAdoption(adopted(['000b'.padEnd(68, '0')]), { akPublic: before }), 'replaced');
  assert.equal(judgeAdoption(adopted([nameOf(after), nameOf(before)]), { akPublic: before }), 'rotated');
});

suite('an enrolment is taken over', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hf-adopt-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const nonce = Buffer.alloc(32, 5).toString('base64url');
  const nowMs = Date.now();
  let world: SnapshotWorld;
  beforeAll(async () => {
    world = await createSnapshotWorld(directory);
  });

  function adopt(snapshot: Snapshot, changes: object = {}, { enrolment } = openStores(':memory:')) {
    const { tpm, attester, trustFile } = world;
    const request = { ueid: tpm.ueid, peerSpki: attester.tlsSpkiSha256, nonce, ...changes };
    const node = adoptEnrolment(snapshot, request, loadTrust(readFileSync(trustFile)), enrolment, nowMs);
    enrolment.saveNode(node);
    return node;
  }

  test('from who has its keys and holds the conversation', async () => {
    const node = adopt(await world.makeSnapshot(nonce));
    assert.equal(node.ueid, world.tpm.ueid);
    assert.equal(node.kid, world.tpm.kid);
  });

  test('and not from a conversation of another kube node', async () => {
    const snapshot = await world.makeSnapshot(nonce);
    assert.throws(() => adopt(snapshot, { ueid: new SoftwareTpm().ueid }), { code: 'ERR_VERIFIER_IDENTITY' });
    assert.throws(() => adopt(snapshot, { ueid: '' }), { code: 'ERR_VERIFIER_IDENTITY' });
  });

  test('and not from who shows a snapshot of somebody else, or an old one', async () => {
    const snapshot = await world.makeSnapshot(nonce);
    assert.throws(() => adopt(snapshot, { peerSpki: 'cd'.repeat(32) }), { code: 'ERR_VERIFIER_TLS_BINDING' });
    const other = Buffer.alloc(32, 6).toString('base64url');
    assert.throws(() => adopt(snapshot, { nonce: other }), { code: 'ERR_EVIDENCE_NONCE' });
  });

  test('and not from who has the certificates but not the keys', async () => {
    const snapshot = await world.makeSnapshot(nonce);
    const { evidence: _, ...bare } = snapshot;
    assert.throws(() => adopt(bare), { code: 'ERR_VERIFIER_MESSAGE' });
    const thief = new SoftwareAttester(new SoftwareTpm(), world.attester.kubeNode, world.attester.tlsSpkiSha256);
    const claims = { ueid: world.tpm.ueid };
    const { token } = thief.makeRound(nonce, world.content, { claims, holdfast: { seq: null } });
    assert.ok(snapshot.evidence);
    snapshot.evidence.token = { case: 'jwt', value: token };
    assert.throws(() => adopt(snapshot), { code: 'ERR_EVIDENCE_KEY' });
  });

  test('and not with older certificates than those that are known', async () => {
    const stores = openStores(':memory:');
    const from = (notBeforeMs: number) => ({ period: { notBeforeMs, notAfterMs: nowMs + 3_600_000 } });
    adopt(await world.makeSnapshot(nonce, from(nowMs - 60_000)), {}, stores);
    adopt(await world.makeSnapshot(nonce, from(nowMs - 60_000)), {}, stores);
    const older = await world.makeSnapshot(nonce, from(nowMs - 62_000));
    assert.throws(() => adopt(older, {}, stores), { code: 'ERR_VERIFIER_UNKNOWN_KEY' });
    adopt(await world.makeSnapshot(nonce, from(nowMs - 30_000)), {}, stores);
  });
});
