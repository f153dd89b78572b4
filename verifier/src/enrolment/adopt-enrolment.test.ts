import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computeName, parsePublic } from '@holdfast/evidence';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { judgeAdoption } from './adopt-enrolment.ts';

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
