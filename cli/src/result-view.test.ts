import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { AttestationStatus, FindingSeverity, Freshness, ResultSchema } from '@holdfast/proto';
import { formatResult } from './result-table.ts';
import { viewResult } from './result-view.ts';
import { createTerminal } from './terminal.ts';

/** Bytes as a newer version might send them: enumeration values that this one does not have. */
const decode = (bytes: number[]) => fromBinary(ResultSchema, Uint8Array.from(bytes));

const sink = { write: () => undefined };
const terminal = createTerminal({ stdout: sink, stderr: sink, environment: {} }, false);

const result = create(ResultSchema, {
  kubeNode: 'worker\n1',
  status: AttestationStatus.WARNING,
  freshness: Freshness.FRESH,
  appraisedAt: { seconds: 1_700_000_000n, nanos: 5_000_000 },
  base: 'tpm',
  seq: 7n,
  findings: [{ code: 'BOOT_LOG_MISSING', severity: FindingSeverity.WARNING, message: 'no log' }],
  containers: [
    {
      id: 'c1',
      name: 'web',
      status: AttestationStatus.CONTRAINDICATED,
      manifestDigest: `sha256:${'a'.repeat(64)}`,
      findings: Array.from({ length: 20 }, (_, at) => ({
        code: 'EXECUTABLE_ADDED',
        severity: FindingSeverity.CONTRAINDICATED,
        message: `new /bin/${at}`,
        path: `/bin/${at}`,
      })),
    },
    { id: 'c2', status: AttestationStatus.AFFIRMING, packages: 0 },
  ],
});

suite('results for people and programs', () => {
  test('an absent package count is null, and none is not zero', () => {
    const view = viewResult(result);
    assert.equal(view.containers[0]?.packages, null);
    assert.equal(view.containers[1]?.packages, 0);
    assert.equal(view.containers[0]?.sbomDigest, null);
    assert.equal(view.appraisedAt, '2023-11-14T22:13:20.005Z');
  });

  test('a status that this version does not know is none', () => {
    assert.equal(viewResult(decode([0x20, 77])).kubeNode.status, 'none');
    assert.equal(viewResult(decode([0x28, 77])).kubeNode.freshness, 'stale');
  });

  test('a severity that this version does not know is shown as the worst', () => {
    const view = viewResult(decode([0x5a, 2, 0x10, 99]));
    assert.equal(view.findings[0]?.severity, 'contraindicated');
  });

  test('a table says what it leaves out, and keeps foreign names on their line', () => {
    const text = formatResult(viewResult(result), terminal);
    assert.match(text, /kube node worker\\u\{a\}1: warning \(fresh, rests on tpm, seq 7\)/);
    assert.match(text, /… and 16 more of EXECUTABLE_ADDED \(--json shows all\)/);
    assert.match(text, /web\s+contraindicated\s+sha256:aaaaaaaaaaaa…\s+-\s+-/);
  });

  test('show a rule of the kernel baseline with its id, its reason and what is', () => {
    const finding = {
      code: 'KERNEL_BASELINE_NOTE',
      severity: FindingSeverity.INFO,
      message: 'HF-KERNEL-002: not so that the kernel log is for root. The kernel log tells addresses and faults.',
      expected: 'HF-KERNEL-002: kernel.dmesg_restrict at least 1',
      actual: '0',
    };
    const text = formatResult(viewResult(create(ResultSchema, { kubeNode: 'n', findings: [finding] })), terminal);
    assert.match(
      text,
      /HF-KERNEL-002: not so that .* faults\. \(HF-KERNEL-002: kernel\.dmesg_restrict at least 1 -> 0\)/,
    );
  });
});
