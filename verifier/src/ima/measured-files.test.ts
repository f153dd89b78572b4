import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createImaEntry } from './ima-entry.test-support.ts';
import { keyMeasured, MeasuredFilesCollector, toMeasuredPath } from './measured-files.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const collect = (entries: Parameters<MeasuredFilesCollector['add']>[0], known = 0) => {
  const collector = new MeasuredFilesCollector({ agentRoot: '/opt/hold fast', known });
  collector.add(entries);
  return collector.files;
};

suite('files that IMA measured', () => {
  test('are found again by path and content together', () => {
    const { keys, isLimited } = collect([createImaEntry('/usr/bin/x', A)]);
    assert.deepEqual([...keys], [keyMeasured('/usr/bin/x', A)]);
    assert.ok(!keys.has(keyMeasured('/usr/bin/x', B) ?? ''));
    assert.ok(!keys.has(keyMeasured('/usr/bin/y', A) ?? ''));
    assert.equal(isLimited, false);
  });

  test('are found by the path that claims write: spaces are underscores to IMA, bytes are percent-encoded', () => {
    const { keys } = collect([createImaEntry('/a_b/\xff%', A), createImaEntry('/\xc3\xa9', A)]);
    assert.ok(keys.has(keyMeasured('/a b/%FF%25', A) ?? ''));
    assert.ok(keys.has(keyMeasured('/é', A) ?? ''));
    assert.equal(keyMeasured('no path', A), undefined);
    assert.equal(toMeasuredPath('/a/../b'), undefined);
  });

  test("of the agent's directory are kept with their paths, those beside it are not", () => {
    const { agentFiles } = collect([
      createImaEntry('/opt/hold_fast/bin/node', A),
      createImaEntry('/opt/hold_fast', A),
      createImaEntry('/opt/hold_faster/bin/node', B),
    ]);
    assert.deepEqual([...agentFiles], [`${A} /opt/hold_fast/bin/node`]);
    const odd = ['/opt/hold_fast/../x', '/opt/hold_fast//x', '/opt/hold_fast/a\0b', '/opt/hold_fast/'];
    assert.equal(collect(odd.map((path) => createImaEntry(path, A))).agentFiles.size, 0);
    const collector = new MeasuredFilesCollector({ agentRoot: null, known: 0 });
    collector.add([createImaEntry('/opt/hold_fast/bin/node', A)]);
    assert.equal(collector.files.agentFiles.size, 0);
  });

  test('are left out where the entry says nothing of their content', () => {
    const name = Buffer.from('/usr/bin/x\0');
    const digest = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(32, 0xaa)]);
    const entries = [
      createImaEntry('/usr/bin/x', A, { templateDigest: Buffer.alloc(20) }),
      createImaEntry('/usr/bin/x', A, { fields: [digest('sha1:\0').subarray(0, 26), name] }),
      createImaEntry('/usr/bin/x', A, { template: 'ima-ngv2', fields: [digest('verity:sha256:\0'), name] }),
      createImaEntry('/usr/bin/x', A, { fields: [Buffer.from('nonsense'), name] }),
      createImaEntry('/usr/bin/x', A, { template: 'evm-custom', fields: [name] }),
      createImaEntry('/usr/bin/x', A, { template: 'ima-buf' }),
      createImaEntry('/usr/bin/x', A, { template: 'd-ng|n-ng|buf' }),
      createImaEntry('/usr/bin/x', A, { fields: [digest('sha256:\0x'), name] }),
      createImaEntry('/usr/bin/x', A, { pcr: 11 }),
      createImaEntry(`/${'x'.repeat(4_096)}`, A),
    ];
    assert.equal(collect(entries).keys.size, 0);
  });

  test('are bounded over all rounds of a boot, and it is told when there are more', () => {
    const entries = [createImaEntry('/a', A), createImaEntry('/b', A), createImaEntry('/a', A)];
    assert.deepEqual([collect(entries, 65_534).keys.size, collect(entries, 65_534).isLimited], [2, false]);
    assert.deepEqual([collect(entries, 65_535).keys.size, collect(entries, 65_535).isLimited], [1, true]);
  });
});
