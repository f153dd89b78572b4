import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import { parseBpfInfo, scanBpfPrograms } from './bpf-programs.ts';
import { KernelCollector } from './kernel-claims.ts';

const PROGRAM = 'pos:\t0\nflags:\t02000002\nprog_type:\t15\nprog_jited:\t1\nprog_tag:\t6deef7357e7b4530\nprog_id:\t7\n';
const LINK = 'pos:\t0\nlink_type:\ttracing\nlink_id:\t3\nprog_tag:\t00112233445566ff\nprog_id:\t9\n';
const links = {
  '/proc/1/fd/0': '/dev/null',
  '/proc/1/fd/9': 'anon_inode:bpf-prog',
  '/proc/1/fd/10': 'anon_inode:bpf-map',
  '/proc/44/fd/3': 'anon_inode:bpf_link',
  '/proc/44/fd/4': 'anon_inode:bpf-prog',
  '/proc/sys/fd/4': 'anon_inode:bpf-prog',
};
const infos = {
  '/proc/1/fdinfo/9': PROGRAM,
  '/proc/44/fdinfo/3': LINK,
  '/proc/44/fdinfo/4': PROGRAM,
};
const pause = async () => await Promise.resolve();

test('programs that processes hold open are listed once, sorted', async () => {
  assert.deepEqual(await scanBpfPrograms(new FakeHostFiles(infos, links), pause), {
    programs: [
      { id: 7, type: 15, tag: '6deef7357e7b4530' },
      { id: 9, type: null, tag: '00112233445566ff' },
    ],
    limits: [],
  });
});

test('a process table that may not be looked at says nothing, not that there are no programs', async () => {
  const unreadable = await scanBpfPrograms(new FakeHostFiles({ '/proc/44/fdinfo/3': LINK }), pause);
  assert.deepEqual(unreadable, { programs: null, limits: ['bpf:unreadable'] });
});

test('too many descriptors or programs are cut and named, with pauses on the way', async () => {
  const descriptors = Array.from({ length: 100_002 }, (_, at): [string, string] => [`/proc/1/fd/${at}`, 'socket:[1]']);
  let pauses = 0;
  const counted = async () => {
    pauses += 1;
    await Promise.resolve();
  };
  const many = await scanBpfPrograms(new FakeHostFiles({}, Object.fromEntries(descriptors)), counted);
  assert.deepEqual(many.limits, ['bpf:descriptors']);
  assert.ok(pauses >= 200);
  const held = Array.from({ length: 1_100 }, (_, at): [string, string] => [`/proc/1/fd/${at}`, 'anon_inode:bpf-prog']);
  const texts = held.map(([,], at): [string, string] => [
    `/proc/1/fdinfo/${at}`,
    `prog_tag: ${'a'.repeat(16)}\nprog_id: ${at}\n`,
  ]);
  const found = await scanBpfPrograms(new FakeHostFiles(Object.fromEntries(texts), Object.fromEntries(held)), pause);
  assert.equal(found.programs?.length, 1_024);
  assert.deepEqual(found.limits, ['bpf:entries']);
});

test('what describes no program is none', () => {
  for (const text of [
    '',
    'prog_id: 1',
    'prog_tag: 6deef7357e7b4530',
    'prog_id: 99999999999\nprog_tag: 6deef7357e7b4530',
  ]) {
    assert.equal(parseBpfInfo(text), undefined);
  }
  for (let size = 0; size < PROGRAM.length; size += 1) parseBpfInfo(PROGRAM.slice(0, size));
});

test('programs are looked at again after five minutes, not before', async () => {
  const clock = new FakeClock();
  const files = new FakeHostFiles(infos, links);
  const collector = new KernelCollector(files, clock);
  await collector.refresh();
  assert.equal(collector.collect().bpf?.length, 2);
  files.links.delete('/proc/44/fd/3');
  await collector.refresh();
  assert.equal(collector.collect().bpf?.length, 2);
  await clock.advance(300_000);
  await collector.refresh();
  assert.equal(collector.collect().bpf?.length, 1);
});
