import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CliError } from './cli-error.ts';
import { parsePcrFile } from './pcr-file.ts';

const value = 'Ab'.repeat(32);
const parse = (text: string) => parsePcrFile(Buffer.from(text), 'pcrs');

suite('a file of PCR values', () => {
  test('is what tpm2_pcrread prints, with banks that are empty', () => {
    const banks = parse(`  sha1:\n  sha256:\n    0 : 0x${value}\n    10: 0x${value}\n  sha384:\n`);
    assert.deepEqual([...banks.keys()], ['sha1', 'sha256', 'sha384']);
    assert.deepEqual(
      [...(banks.get('sha256') ?? [])],
      [0, 10].map((pcr) => [pcr, Buffer.from(value, 'hex')]),
    );
  });

  test('is YAML, and the PCRs at the end of what tpm2_eventlog prints', () => {
    const yaml = `pcrs:\n  sha1:\n    7  : 0x${'00'.repeat(20)}\n`;
    for (const text of [
      `---\n${yaml}`,
      `---\nversion: 1\nevents:\n- EventNum: 0\n  Digest: "${value}"\n${yaml}...\n`,
    ]) {
      assert.deepEqual(parse(text).get('sha1')?.get(7), Buffer.alloc(20));
    }
    assert.ok(parse(`sha256:\n  4: "0x${value}" \r\n`).get('sha256')?.has(4));
  });

  test('is refused with the number of the line that is wrong', () => {
    const wrong: [string, RegExp][] = [
      [`sha256:\n  24: 0x${value}\n`, /line 2: there is no such PCR/],
      [`sha256:\n  1: 0x${value}\n  1: 0x${value}\n`, /line 3: PCR 1 is told twice/],
      [`sha256:\n  1: 0x${value}\nsha256:\n`, /line 3: bank sha256 is told twice/],
      [`sha1:\n  1: 0x${value}\n`, /line 2: not the length of a sha1 value/],
      ['md5:\n', /line 1: no bank/],
      [`  1: 0x${value}\n`, /line 1: not a PCR value/],
      ['pcrs:\n  sha256:\n    hello\n', /line 3: not a PCR value/],
      ['sha256:\n', /holds no PCR values/],
      ['\n', /holds no PCR values/],
    ];
    for (const [text, message] of wrong) {
      assert.throws(
        () => parse(text),
        (error) => error instanceof CliError && error.exitCode === 3 && message.test(error.message),
        text,
      );
    }
  });

  test('has lines of any length', () => {
    const blanks = ' '.repeat(4 * 1024 * 1024);
    assert.throws(() => parse(`sha256:\n${blanks}x\n`), /line 2: not a PCR value/);
    assert.equal(parse(`sha256:\n${blanks}\n  1: 0x${value}\n`).size, 1);
  });
});
