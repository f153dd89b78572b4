import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { describeRequirement, KERNEL_RULES } from '@holdfast/verifier';
import { readText } from './docs-source.ts';
import { readTable } from './docs-text.ts';

/** Rows of the kernel baseline, as the source has them. */
const expected = KERNEL_RULES.map((rule) => {
  const { id, severity, title, reason, source } = rule;
  return [`\`${id}\``, severity, describeRequirement(rule.requirement), title, reason, source];
});

/** Rules without a row of their own, and rows that are no rule's. */
function findFaults(protocol: string): string[] {
  const rows = readTable(protocol, 'Kernel baseline').map((row) => row.join(' | '));
  const wanted = expected.map((row) => row.join(' | '));
  return [...wanted.filter((row) => !rows.includes(row)), ...rows.filter((row, at) => wanted[at] !== row)];
}

suite('the kernel baseline in docs/protocol.md', () => {
  const protocol = readText('docs/protocol.md');

  test('is that of the source', () => {
    assert.deepEqual(findFaults(protocol), []);
  });

  test('is missed where a row is taken out or says something else', () => {
    const softened = protocol.replace('| `HF-KERNEL-102` | warning', '| `HF-KERNEL-102` | info');
    assert.equal(findFaults(softened).length, 2);
    assert.notDeepEqual(findFaults(protocol.replace(/^\| `HF-KERNEL-001` .*\n/m, '')), []);
  });
});
