import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startAgent } from '@holdfast/agent';
import { listNonces, parseClaimsSet, parsePublic, publicToKeyObject } from '@holdfast/evidence';
import { missingSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { type AgentWorld, createAgentWorld } from './agent-world.ts';

const run = promisify(execFile);
const skip = missingSwtpm() ?? false;
let swtpm: Swtpm;
let world: AgentWorld;

before(async () => {
  if (skip !== false) return;
  swtpm = await startSwtpm({ ekCertificates: true });
});

after(async () => {
  await swtpm?.close();
});

test('an agent enrols and its rounds verify, chained and each with the nonce it was asked for', { skip }, async () => {
  world = await createAgentWorld();
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti }, heartbeatMs: 300 }));
  try {
    const rounds = await world.peer.waitForRounds(4);
    assert.equal(world.peer.enrolments, 1);
    let before = rounds[0];
    for (const round of rounds.slice(1)) {
      assert.equal(round.token.claims.holdfast.chain, before?.token.claims.holdfast.chain);
      assert.equal(round.token.claims.holdfast.seq, (before?.token.claims.holdfast.seq ?? 0) + 1);
      assert.equal(round.token.claims.holdfast.prev, before?.token.evidenceId);
      before = round;
    }
    assert.deepEqual(listNonces(rounds[0]?.token.claims ?? {}), [rounds[0]?.nonce]);
    assert.deepEqual([...(rounds[0]?.sets.keys() ?? [])].sort(), ['boot', 'containers', 'host', 'ima', 'kernel']);
    const containers = parseClaimsSet(rounds[0]?.sets.get('containers') ?? Buffer.alloc(0), 'containers');
    assert.deepEqual(containers, { type: 'containers', limits: ['runtime:none'], containers: {} });
    for (const { token } of rounds) assert.ok(token.compact.length <= 3 * 1024, `${token.compact.length} bytes`);
    assert.deepEqual(world.peer.failures, []);
  } finally {
    await agent.close();
    await world.close();
  }
});

test('tpm2_checkquote accepts both quotes out of an emitted token', { skip }, async () => {
  world = await createAgentWorld();
  const agent = await startAgent(world.configure({ tpm: { tcti: swtpm.tcti } }));
  try {
    const [round] = await world.peer.waitForRounds(1);
    const ak = publicToKeyObject(parsePublic(world.peer.keys?.akPublic ?? Buffer.alloc(0)));
    const path = (name: string) => join(world.directory, name);
    await writeFile(path('ak.pem'), ak.export({ type: 'spki', format: 'pem' }));
    const [header, payload] = round?.token.compact.split('.') ?? [];
    const quotes = JSON.parse(Buffer.from(header ?? '', 'base64url').toString()).tpm;
    assert.equal(quotes.length, 2);
    const nonce = createHash('sha256')
      .update('holdfast-quote-v1\0')
      .update(payload ?? '')
      .digest('hex');
    for (const { attest, sig } of quotes) {
      await writeFile(path('quote.msg'), Buffer.from(attest, 'base64url'));
      await writeFile(path('quote.sig'), Buffer.from(sig, 'base64url'));
      const args = ['-u', path('ak.pem'), '-m', path('quote.msg'), '-s', path('quote.sig'), '-g', 'sha256', '-q'];
      await run('tpm2_checkquote', [...args, nonce]);
      await assert.rejects(
        run('tpm2_checkquote', [...args, nonce.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))]),
      );
    }
  } finally {
    await agent.close();
    await world.close();
  }
});
