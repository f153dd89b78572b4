import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { encodeBundle, type TokenQuote } from '@holdfast/evidence';
import { createSnapshotWorld, type SnapshotWorld } from '../../../test/support/snapshot-fixture.ts';
import type { RoundChanges } from '../../../test/support/software-attester.ts';
import { runCommandLine } from '../run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-token-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const NONCE = Buffer.alloc(32, 7).toString('base64url');
const ONE_BYTE = Buffer.of(1).toString('base64url');
let world: SnapshotWorld;
before(async () => {
  world = await createSnapshotWorld(folder);
});

async function run(...argv: string[]) {
  const written = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
  };
  const status = await runCommandLine(argv, io, new AbortController().signal);
  assert.equal(written.err, '');
  assert.equal(status, 0);
  return written.out;
}

/** What both commands show of such a token: for people, and as JSON. */
async function inspectBoth(changes: RoundChanges): Promise<{ text: string; view: Record<string, unknown> }[]> {
  const token = join(folder, 'token.jwt');
  writeFileSync(token, world.attester.makeRound(NONCE, world.content, changes).token);
  const snapshot = await world.writeSnapshot('token.snapshot', NONCE, changes);
  const shown = [];
  for (const [kind, file] of [
    ['token', token],
    ['snapshot', snapshot],
  ] as const) {
    const json = JSON.parse(await run('inspect', kind, file, '--json'));
    shown.push({ text: await run('inspect', kind, file), view: kind === 'token' ? json : json.token });
  }
  return shown;
}

const bend = (quote: TokenQuote, attest: string): TokenQuote => ({ ...quote, attest });

suite('inspect token and inspect snapshot', () => {
  test('a quote that cannot be read is malformed, with the reason, beside the one that can', async () => {
    const quotes: RoundChanges['quotes'] = ([first, second]) => [bend(first, ONE_BYTE), second];
    for (const { text, view } of await inspectBoth({ quotes })) {
      const [first, second] = Object(view['quotes']);
      assert.deepEqual(Object.keys(first), ['malformed']);
      assert.match(first.malformed, /TPMS_ATTEST/);
      assert.equal(second.type, 'quote');
      assert.match(text, /malformed +quote 1: .*TPMS_ATTEST/);
    }
  });

  test('a time beyond every calendar is told as that', async () => {
    for (const { text, view } of await inspectBoth({ claims: { iat: Number.MAX_SAFE_INTEGER } })) {
      assert.match(text, /issued +an impossible time by the node's clock/);
      assert.equal(Object(view['claims']).iat, Number.MAX_SAFE_INTEGER);
    }
  });

  test('a claims-set that is nested without end is malformed, with the reason', async () => {
    const host = Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const { claims } = Object(await readClaims());
    const digest = createHash('sha256').update(host).digest('base64url');
    const submods = { ...claims.submods, host: ['DIGEST', [-16, digest]] };
    const { token } = world.attester.makeRound(NONCE, world.content, { claims: { submods } });
    const file = join(folder, 'deep.bundle');
    writeFileSync(file, encodeBundle(token, { host }));
    const { claimsSets } = JSON.parse(await run('inspect', 'token', file, '--json'));
    assert.match(claimsSets.host.malformed, /deep|nest/);
  });
});

async function readClaims(): Promise<unknown> {
  const file = join(folder, 'plain.jwt');
  writeFileSync(file, world.attester.makeRound(NONCE, world.content).token);
  return JSON.parse(await run('inspect', 'token', file, '--json'));
}
