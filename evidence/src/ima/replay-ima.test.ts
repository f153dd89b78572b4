import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { test } from 'node:test';
import type { HashAlgorithm } from '../tpm/algorithm.ts';
import type { ImaEntry } from './ima-entry.ts';
import { matchBootAggregate } from './ima-summary.ts';
import { encodeHashed } from './ima-template.ts';
import { judgeImaHistory, matchImaPrefix, replayIma, startImaReplay } from './replay-ima.ts';

const path = Buffer.from('/usr/bin/x\0');
const ng = (algorithm: string, bytes: number) =>
  Buffer.concat([Buffer.from(`${algorithm}:\0`), Buffer.alloc(bytes, 1)]);
const TEMPLATES: Record<string, Buffer[]> = {
  ima: [Buffer.alloc(20, 1), Buffer.from('/usr/bin/x')],
  'ima-ng': [ng('sha256', 32), path],
  'ima-sig': [ng('sha256', 32), path, Buffer.from('03', 'hex')],
  'ima-ngv2': [ng('ima:sha256', 32), path],
  'ima-sigv2': [ng('verity:sha512', 64), path, Buffer.alloc(0)],
  'ima-buf': [ng('sha256', 32), Buffer.from('kexec-cmdline\0'), Buffer.from('quiet')],
  'ima-modsig': [ng('sha256', 32), path, Buffer.alloc(0), ng('sha256', 32), Buffer.from('3082', 'hex')],
};
const BANKS: readonly HashAlgorithm[] = ['sha1', 'sha256', 'sha384', 'sha512'];

function createEntry(template: string, fields: Buffer[], isViolation = false): ImaEntry {
  const hashed = encodeHashed(template, fields);
  return {
    pcr: 10,
    templateDigest: isViolation ? Buffer.alloc(20) : hash('sha1', hashed, 'buffer'),
    template,
    hashed,
    fields,
  };
}

const entries = Object.entries(TEMPLATES).flatMap(([template, fields], at) => [
  createEntry(template, fields),
  ...(at % 3 === 0 ? [createEntry(template, fields, true)] : []),
]);

/** What the kernel extends into a bank for these entries (Linux `ima_pcr_extend`), done by hand. */
function extendByHand(bank: HashAlgorithm, list: readonly ImaEntry[], isPadded: boolean): Buffer {
  const { length } = hash(bank, '', 'buffer');
  return list.reduce((value, { hashed, templateDigest }) => {
    const isViolation = templateDigest.equals(Buffer.alloc(20));
    const own = isPadded
      ? Buffer.concat([hash('sha1', hashed, 'buffer'), Buffer.alloc(length)]).subarray(0, length)
      : hash(bank, hashed, 'buffer');
    return hash(bank, Buffer.concat([value, isViolation ? Buffer.alloc(length, 0xff) : own]), 'buffer');
  }, Buffer.alloc(length));
}

for (const bank of BANKS) {
  test(`entries of every template and violations give PCR 10 of bank ${bank}, natively and padded, prefix by prefix`, () => {
    for (let count = 0; count <= entries.length; count += 1) {
      const prefix = entries.slice(0, count);
      const { values } = replayIma(startImaReplay(bank), prefix);
      assert.deepEqual(values.native, extendByHand(bank, prefix, false));
      assert.deepEqual(values.sha1Padded, extendByHand(bank, prefix, true));
      for (const isPadded of [false, true]) {
        const quoted = extendByHand(bank, prefix, isPadded);
        const match = matchImaPrefix(startImaReplay(bank), entries, (value) => value.equals(quoted));
        assert.equal(match?.matchedPrefix, count);
      }
    }
  });

  test(`a list whose beginning was trimmed has no prefix for a quote of bank ${bank}, and is known as another one`, () => {
    const quoted = extendByHand(bank, entries, false);
    const known = replayIma(startImaReplay(bank), entries.slice(0, 4));
    for (let cut = 1; cut <= entries.length; cut += 1) {
      const trimmed = entries.slice(cut);
      assert.equal(
        matchImaPrefix(startImaReplay(bank), trimmed, (value) => value.equals(quoted)),
        undefined,
      );
      assert.notEqual(judgeImaHistory(known, trimmed), 'continues');
    }
    assert.equal(judgeImaHistory(known, entries), 'continues');
  });

  for (const last of [7, 9]) {
    test(`the boot aggregate over PCRs 0 to ${last} of bank ${bank} is that of the boot, and no other`, () => {
      const pcrs = new Map(
        Array.from({ length: 10 }, (_, pcr) => [pcr, Buffer.alloc(hash(bank, '', 'buffer').length, pcr)]),
      );
      const hasher = createHash(bank);
      for (let pcr = 0; pcr <= last; pcr += 1) hasher.update(pcrs.get(pcr) ?? assert.fail());
      const digest = Buffer.concat([Buffer.from(`${bank}:\0`), hasher.digest()]);
      for (const template of ['ima-ng', 'ima-sig']) {
        const first = createEntry(template, [
          digest,
          Buffer.from('boot_aggregate\0'),
          ...(template === 'ima-sig' ? [Buffer.alloc(0)] : []),
        ]);
        assert.equal(matchBootAggregate([first, ...entries], { [bank]: pcrs }), true);
        const other = new Map(pcrs).set(0, Buffer.alloc(digest.length));
        assert.equal(matchBootAggregate([first], { [bank]: other }), false);
        const forged = { ...first, pcr: 11 };
        assert.equal(matchBootAggregate([forged, entries[2] ?? assert.fail()], { [bank]: pcrs }), null);
        assert.equal(matchBootAggregate([entries[2] ?? assert.fail(), first], { [bank]: pcrs }), null);
      }
    });
  }
}
