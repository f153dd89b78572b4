import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import type { DriftEntry } from '@holdfast/evidence';
import { appraise } from './appraise.ts';
import { createContainerEvidence, createDrift, createEvidence, ok } from './evidence.test-support.ts';
import { shortenText } from './shorten-text.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const policy = { maxPendingMs: 5000, judgeKernel: () => [] };
const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const name = (at: number) => `c${String(at).padStart(5, '0')}`;

function added(count: number, pathLength: number): DriftEntry[] {
  return Array.from({ length: count }, (_, at) => ({
    path: `/${String(at).padStart(pathLength - 1, 'x')}`,
    kind: 'added' as const,
    entryType: 'file' as const,
    reasons: ['elf'],
  }));
}

function appraiseMany(count: number, relevant: DriftEntry[], few: DriftEntry[] = []) {
  const document = ok(createDrift(relevant));
  const containers = Array.from({ length: count }, (_, at) => {
    return [name(at), createContainerEvidence({ id: name(at) }, { drift: document })] as const;
  });
  const quiet = createContainerEvidence({ id: 'quiet' }, { drift: ok(createDrift(few)) });
  return appraise(createEvidence(Object.fromEntries([...containers, ['quiet', quiet]])), 'pinned', policy);
}

suite('the size of a result', () => {
  test('is bounded for one container with a thousand findings at long paths', () => {
    const appraisal = appraiseMany(1, added(1000, 4096));
    const [container] = appraisal.containers;
    assert.ok(container && sizeOf(container) < 257 * 1024);
    const last = container.findings.at(-1);
    const listed = container.findings.length - 1;
    assert.deepEqual([last?.code, last?.actual], ['FINDINGS_LIMITED', '1000']);
    assert.match(last?.message ?? '', new RegExp(`Not listed: EXECUTABLE_ADDED ${1000 - listed}\\.$`));
    assert.equal(container.status, 'contraindicated');
  });

  test('is bounded for hundreds of containers that name one large document, and a quiet one loses nothing', () => {
    const appraisal = appraiseMany(600, added(10_000, 100), added(3, 40));
    assert.ok(sizeOf(appraisal) < MAX_BYTES);
    assert.equal(appraisal.containers.length, 601);
    for (const { id, findings, tiers } of appraisal.containers.filter(({ id }) => id !== 'quiet')) {
      assert.deepEqual([findings[0]?.code, findings.at(-1)?.actual], ['EXECUTABLE_ADDED', '10000'], id);
      assert.deepEqual(tiers, { executables: 'contraindicated', fileSystem: 'affirming' });
    }
    const codes = appraisal.containers.find(({ id }) => id === 'quiet')?.findings.map(({ code }) => code);
    assert.deepEqual(codes, ['EXECUTABLE_ADDED', 'EXECUTABLE_ADDED', 'EXECUTABLE_ADDED']);
  });

  test('is bounded for more containers than it has room for: the worst are listed, and all count', () => {
    const bad = createContainerEvidence({ id: 'zz' }, { drift: ok(createDrift(added(1, 10))) });
    const others = Array.from(
      { length: 8191 },
      (_, at) => [name(at), createContainerEvidence({ id: name(at) })] as const,
    );
    const evidence = createEvidence(Object.fromEntries([...others, ['zz', bad]]));
    const { containers, findings, overall, status } = appraise(evidence, 'chain', policy);
    assert.ok(sizeOf({ containers, findings }) < MAX_BYTES);
    assert.equal(containers.at(-1)?.id, 'zz');
    const limited = findings.find(({ code }) => code === 'CONTAINERS_LIMITED');
    assert.equal(limited?.actual, `${8192 - containers.length} of 8192`);
    assert.deepEqual([status, overall], ['none', 'contraindicated']);
  });

  test('follows the largest message that the settings allow', () => {
    const evidence = createEvidence({ c1: createContainerEvidence({}, { drift: ok(createDrift(added(500, 200))) }) });
    const appraisal = appraise(evidence, 'pinned', { ...policy, maxResultBytes: 16 * 1024 });
    assert.ok(sizeOf(appraisal) < 16 * 1024);
    assert.equal(appraisal.containers[0]?.findings.at(-1)?.code, 'FINDINGS_LIMITED');
  });
});

suite('a text of a finding', () => {
  test('is whole up to 512 characters, and longer ones are told by length and digest', () => {
    const whole = 'ä'.repeat(512);
    assert.equal(shortenText(whole), whole);
    const long = `${whole}x`;
    assert.equal(shortenText(long), `${whole}... (513 characters, SHA-256 ${hash('sha256', long)})`);
    assert.ok(shortenText(long).length > whole.length);
  });

  test('is well-formed wherever it is cut', () => {
    assert.ok(shortenText(`a${'😀'.repeat(300)}`).isWellFormed());
  });
});
