import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createSnapshotWorld, type SnapshotWorld } from '../../../test/support/snapshot-fixture.ts';
import type { RoundChanges } from '../../../test/support/software-attester.ts';
import { runCommandLine } from '../run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-verify-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let world: SnapshotWorld;
before(async () => {
  world = await createSnapshotWorld(folder);
});

const makeNonce = () => randomBytes(32).toString('base64url');

async function run(...argv: string[]) {
  const written = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
  };
  const status = await runCommandLine(argv, io, new AbortController().signal);
  assert.doesNotMatch(written.err, /internal error|\n\s+at /);
  return { status, ...written };
}

async function verify(file: string, ...flags: string[]) {
  const { status, out, err } = await run('verify', file, '--trust', world.trustFile, '--json', ...flags);
  return { status, err, json: out === '' ? undefined : JSON.parse(out) };
}

function writeToken(name: string, nonce: string, changes: RoundChanges = {}): string {
  const path = join(folder, name);
  writeFileSync(path, world.attester.makeRound(nonce, world.content, changes).token);
  return path;
}

suite('verify SNAPSHOT', () => {
  test('holds with the nonce that was asked with, and with no other one', async () => {
    const nonce = makeNonce();
    const file = await world.writeSnapshot('fresh.snapshot', nonce);
    const right = await verify(file, '--nonce', nonce);
    assert.deepEqual([right.status, right.json.valid, right.json.nonceMatches], [0, true, true]);
    const other = await verify(file, '--nonce', makeNonce());
    assert.deepEqual([other.status, other.json.valid, other.json.code], [1, false, 'ERR_EVIDENCE_NONCE']);
  });
});

suite('verify TOKEN --snapshot', () => {
  test('compares the nonce with that of the token, not of the snapshot', async () => {
    const [ours, theirs] = [makeNonce(), makeNonce()];
    const snapshot = ['--snapshot', await world.writeSnapshot('keys.snapshot', theirs)];
    const token = writeToken('ours.jwt', ours);
    const right = await verify(token, ...snapshot, '--nonce', ours);
    assert.deepEqual([right.status, right.json?.valid, right.json?.nonceMatches], [0, true, true], right.err);
    for (const nonce of [theirs, makeNonce()]) {
      const wrong = await verify(token, ...snapshot, '--nonce', nonce);
      assert.deepEqual([wrong.status, wrong.json.valid, wrong.json.code], [1, false, 'ERR_EVIDENCE_NONCE']);
    }
    const open = await verify(token, ...snapshot);
    assert.deepEqual([open.status, open.json.valid, open.json.nonceMatches], [0, true, null]);
  });
});
