import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { encodePcrSelection, type PcrSelection } from '@holdfast/evidence';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { runCommandLine } from '../run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-quote-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const tpm = new SoftwareTpm();
const ZERO = `0x${'00'.repeat(32)}`;
const EVERY = Array.from({ length: 24 }, (_, pcr) => pcr);

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Judges a quote over a selection against zeros for these PCRs of a bank. */
async function inspect(selections: readonly PcrSelection[], bank: string, pcrs: readonly number[], ...flags: string[]) {
  const { attest, signature } = tpm.quote(Buffer.of(1), encodePcrSelection(selections));
  const zero = bank === 'sha1' ? ZERO.slice(0, 42) : ZERO;
  const values = pcrs.map((pcr) => `  ${pcr}: ${zero}\n`).join('');
  const files = ['--attest', write('q.msg', attest), '--signature', write('q.sig', signature)];
  const given = ['--ak', write('q.ak', tpm.ak.public), '--pcrs', write('q.pcrs', `${bank}:\n${values}`)];
  let out = '';
  const io = { stdout: { write: (text: string) => (out += text) }, stderr: { write: () => true }, env: {} };
  const argv = ['inspect', 'quote', ...files, ...given, ...flags];
  const status = await runCommandLine(argv, io, new AbortController().signal);
  return { status, out };
}

async function judge(selections: readonly PcrSelection[], bank: string, pcrs: readonly number[]) {
  const { status, out } = await inspect(selections, bank, pcrs, '--json');
  const { valid, failures, notQuoted } = JSON.parse(out);
  assert.equal(valid, status === 0);
  return { failures, notQuoted };
}

suite('inspect quote --pcrs', () => {
  const some: PcrSelection[] = [{ bank: 'sha256', pcrs: [0, 7] }];

  test('a quote that selects nothing vouches for none of the values', async () => {
    for (const selections of [[], [{ bank: 'sha256' as const, pcrs: [] }]]) {
      const { failures, notQuoted } = await judge(selections, 'sha256', [0, 7]);
      assert.deepEqual(failures, ['PCR_NOT_QUOTED']);
      assert.deepEqual(notQuoted, [{ bank: 'sha256', pcrs: [0, 7] }]);
    }
  });

  test('a quote of other PCRs, or of another bank, vouches for none of the values', async () => {
    assert.deepEqual((await judge(some, 'sha256', [1, 2])).failures, ['PCR_NOT_QUOTED']);
    assert.deepEqual((await judge(some, 'sha1', [0, 7])).failures, ['PCR_NOT_QUOTED']);
  });

  test('a quote of which a value lacks is refused', async () => {
    assert.deepEqual((await judge(some, 'sha256', [0, 1])).failures, ['PCR_MISSING']);
  });

  test('more values than the quote covers hold, and the others are named', async () => {
    assert.deepEqual(await judge(some, 'sha256', [0, 7]), { failures: [], notQuoted: [] });
    const { failures, notQuoted } = await judge(some, 'sha256', EVERY);
    assert.deepEqual(failures, []);
    assert.deepEqual(notQuoted, [{ bank: 'sha256', pcrs: EVERY.filter((pcr) => pcr !== 0 && pcr !== 7) }]);
    const { status, out } = await inspect(some, 'sha256', [0, 7, 11, 12]);
    assert.equal(status, 0);
    assert.match(out, /open +the quote says nothing of these given values: sha256:11,12/);
  });
});
