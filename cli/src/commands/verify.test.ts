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

/** None begins with a dash, which would read as a flag. */
const makeNonce = () => Buffer.concat([Buffer.of(0), randomBytes(31)]).toString('base64url');

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

const WEEK_MS = 7 * 86_400_000;
const DAY_MS = 86_400_000;
/** A day, three weeks ago. */
const BEFORE = { notBeforeMs: Date.now() - 3 * WEEK_MS, notAfterMs: Date.now() - 3 * WEEK_MS + DAY_MS };
const THEN = { claims: { iat: Math.floor(BEFORE.notBeforeMs / 1000) + 3600 } };
const CODE = 'ERR_VERIFIER_CERTIFICATE_EXPIRED';

suite('verify SNAPSHOT, and the time in which its certificates hold', () => {
  test('a snapshot of that time holds weeks later, without a nonce', async () => {
    const nonce = makeNonce();
    const file = await world.writeSnapshot('old.snapshot', nonce, { ...THEN, period: BEFORE });
    const { status, json } = await verify(file);
    assert.deepEqual([status, json.valid, json.certifiedAtIssue], [0, true, true]);
  });

  test('with a nonce the certificates must hold now', async () => {
    const nonce = makeNonce();
    const file = await world.writeSnapshot('old.snapshot', nonce, { ...THEN, period: BEFORE });
    const { status, json } = await verify(file, '--nonce', nonce);
    assert.deepEqual([status, json.valid, json.code], [1, false, CODE]);
    const forSoon = { notBeforeMs: Date.now() + DAY_MS, notAfterMs: Date.now() + 2 * DAY_MS };
    const soon = await verify(await world.writeSnapshot('soon.snapshot', nonce, { period: forSoon }), '--nonce', nonce);
    assert.deepEqual([soon.status, soon.json.code], [1, CODE]);
  });

  test('a snapshot of another time does not hold, and says why', async () => {
    const file = await world.writeSnapshot('late.snapshot', makeNonce(), { period: BEFORE });
    const { status, json } = await verify(file);
    assert.deepEqual([status, json.valid, json.certifiedAtIssue, json.code], [1, false, false, CODE]);
    const shown = await run('verify', file, '--trust', world.trustFile);
    assert.match(
      shown.out,
      /does not hold: the key certificates do not hold at the time.*\n[\s\S]*hold from .* not at that/,
    );
  });

  test('a clock that is wrong does not matter where the nonce is answered now', async () => {
    const nonce = makeNonce();
    const file = await world.writeSnapshot('clock.snapshot', nonce, THEN);
    const right = await verify(file, '--nonce', nonce);
    assert.deepEqual([right.status, right.json.valid, right.json.certifiedAtIssue], [0, true, false]);
    assert.equal((await verify(file)).status, 1);
  });

  test('a minute of difference between clocks is none', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    const period = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() - 30_000 };
    const nonce = makeNonce();
    const file = await world.writeSnapshot('skew.snapshot', nonce, { period, claims: { iat: seconds } });
    for (const flags of [[], ['--nonce', nonce]]) assert.equal((await verify(file, ...flags)).status, 0);
  });
});

suite('verify TOKEN --snapshot', () => {
  test('judges the time of the token by the certificates of the snapshot', async () => {
    const nonce = makeNonce();
    const snapshot = ['--snapshot', await world.writeSnapshot('then.snapshot', nonce, { ...THEN, period: BEFORE })];
    assert.equal((await verify(writeToken('then.jwt', nonce, THEN), ...snapshot)).status, 0);
    const late = await verify(writeToken('late.jwt', nonce), ...snapshot);
    assert.deepEqual(
      [late.status, late.json.valid, late.json.certifiedAtIssue, late.json.code],
      [1, false, false, CODE],
    );
    const asked = await verify(writeToken('asked.jwt', nonce, THEN), ...snapshot, '--nonce', nonce);
    assert.deepEqual([asked.status, asked.json.valid, asked.json.code], [1, false, CODE]);
  });

  test('takes no keys from a snapshot that does not hold', async () => {
    const nonce = makeNonce();
    const snapshot = await world.writeSnapshot('wrong.snapshot', nonce, { period: BEFORE });
    const { status, err } = await verify(writeToken('any.jwt', nonce), '--snapshot', snapshot);
    assert.equal(status, 3);
    assert.match(err, /the snapshot .* does not hold: the key certificates do not hold at the time/);
  });

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
