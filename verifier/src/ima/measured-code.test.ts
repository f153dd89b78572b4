import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DriftEntry, parseImaList, summariseIma } from '@holdfast/evidence';
import { createContainerEvidence, createDrift, createEvidence } from '../appraisal/evidence.test-support.ts';
import { createImaEntry } from './ima-entry.test-support.ts';
import { joinImaFiles } from './ima-file-facts.ts';
import { appraiseMeasuredCode, listForeignCode } from './measured-code.ts';
import { MeasuredFilesCollector } from './measured-files.ts';

const hex = (digit: string) => digit.repeat(64);
const attributes = { mode: '755', uid: 0, gid: 0, size: 1 };
const added = (path: string, sha256: string, changes: Partial<DriftEntry> = {}): DriftEntry => ({
  path,
  kind: 'added',
  entryType: 'file',
  reasons: ['newEntry', 'elf'],
  after: { ...attributes, sha256 },
  ...changes,
});
const drifted = (...relevant: DriftEntry[]) =>
  createContainerEvidence({}, { drift: { state: 'ok', value: createDrift(relevant) } });

test('added and changed code counts; data, removals and new modes of code that the image has do not', () => {
  const before = { ...attributes, sha256: hex('b') };
  const evidence = drifted(
    added('/usr/bin/x', hex('a')),
    added('/usr/bin/y', hex('c'), { kind: 'modified', before }),
    added('/usr/bin/z', hex('b'), { kind: 'attributes', before }),
    added('/usr/bin/w', hex('b'), { kind: 'modified', before }),
    added('/data', hex('d'), { reasons: ['newEntry'] }),
  );
  assert.deepEqual(listForeignCode(evidence), [
    { path: '/usr/bin/x', sha256: hex('a') },
    { path: '/usr/bin/y', sha256: hex('c') },
  ]);
});

test('code that runs counts where neither image nor volume brought it', () => {
  const code = (path: string, origin: 'layer' | 'upper' | 'volume' | 'memfd' | 'deleted', sha256: string | null) => {
    return { path, origin, sha256, use: 'program' as const };
  };
  const running = {
    code: [
      code('/a', 'layer', hex('a')),
      code('/b', 'upper', hex('b')),
      code('/c', 'volume', hex('c')),
      code('/d', 'upper', null),
      code('/e', 'deleted', hex('e')),
    ],
    executed: [{ path: '/memfd:x', origin: 'memfd' as const, sha256: hex('f'), terminal: true }],
    anonymous: [],
    foreign: [],
    injected: [],
    transient: [],
  };
  const paths = listForeignCode(createContainerEvidence({ running })).map(({ path }) => path);
  assert.deepEqual(paths, ['/b', '/memfd:x']);
  assert.deepEqual(listForeignCode(createContainerEvidence({ running: null })), []);
});

test('a container without a drift document, or with claims that were refused, has none', () => {
  assert.deepEqual(listForeignCode(createContainerEvidence({}, { drift: null })), []);
  assert.deepEqual(listForeignCode(createContainerEvidence({}, { claims: { state: 'missing' }, drift: null })), []);
});

test('foreign code that IMA measured at its path is found, and no other', () => {
  const evidence = drifted(added('/usr/bin/x y', hex('a')), added('/usr/bin/z', hex('c')));
  const entry = createImaEntry('/usr/bin/x_y', hex('a'));
  const elsewhere = createImaEntry('/var/lib/snapshots/7/fs/usr/bin/z', hex('c'));
  const collector = new MeasuredFilesCollector({ agentRoot: null, known: 0 });
  collector.add([entry, elsewhere]);
  const { keys } = collector.files;
  const lookup = { isLimited: false, hasKey: (key: string) => keys.has(key), listAgentFiles: () => [] };
  const facts = joinImaFiles(createEvidence({ c1: evidence }), lookup, []);
  assert.equal(facts.agent, null);
  assert.deepEqual(appraiseMeasuredCode(evidence, facts.measuredCode), [
    {
      code: 'FOREIGN_CODE_MEASURED',
      severity: 'contraindicated',
      message: 'IMA measured code that the image does not have: it was run, mapped, or read by root in the container.',
      path: '/usr/bin/x y',
      actual: hex('a'),
    },
  ]);
  assert.deepEqual(appraiseMeasuredCode(evidence, new Set()), []);
});

/**
 * What Linux 6.1 of Debian wrote under `ima_policy=tcb` when root read a file of an upper directory and a process whose
 * root had been moved into the overlay executed it. Without a signature the last field is empty.
 */
const RECORDED = `10 a7716ed0e858f961172507c5d965cb5b5884c70d ima-sig sha256:c8872210411124be7961821d7881ce3c7a4e2fc8746ef8614905058cd81f0cf9 /state/o/upper/bin/dropped ${''}
10 31fc46fa753732d613b6bca46095fee9450db8ce ima-sig sha256:c8872210411124be7961821d7881ce3c7a4e2fc8746ef8614905058cd81f0cf9 /bin/dropped ${''}
`;

test('a real kernel names what a container executes by its path in it, and what the host reads by another', () => {
  const entries = parseImaList(Buffer.from(RECORDED));
  assert.equal(summariseIma(entries).mismatches, 0);
  const sha256 = 'c8872210411124be7961821d7881ce3c7a4e2fc8746ef8614905058cd81f0cf9';
  const evidence = drifted(added('/bin/dropped', sha256));
  for (const [read, found] of [
    [entries, 1],
    [entries.slice(0, 1), 0],
    [entries.slice(1), 1],
  ] as const) {
    const collector = new MeasuredFilesCollector({ agentRoot: null, known: 0 });
    collector.add(read);
    assert.equal(appraiseMeasuredCode(evidence, collector.files.keys).length, found);
  }
});
