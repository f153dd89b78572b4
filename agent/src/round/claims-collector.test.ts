import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../fake-clock.test-support.ts';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import { ClaimsCollector } from './claims-collector.ts';

function createWorld(files: Record<string, string>) {
  const clock = new FakeClock();
  const hostFiles = new FakeHostFiles(files);
  const collector = new ClaimsCollector({
    files: hostFiles,
    kubeNode: 'worker-1',
    hardware: { system: null, bios: null, cpu: null },
    containers: undefined,
    clock,
    readAgentFiles: () => assert.fail('asked for although IMA does not measure'),
    onLost: () => undefined,
  });
  return { clock, files: hostFiles.files, collector };
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

test('the uptime goes on while the machine is not read anew', async () => {
  const { clock, files, collector } = createWorld({ '/proc/uptime': '100.9 1.0\n', [BOOT_ID]: 'this boot\n' });
  assert.equal((await collector.collect()).uptimeSeconds, 100);
  files.set('/proc/uptime', Buffer.from('7.0 1.0\n'));
  await clock.advance(4_200);
  const { uptimeSeconds, bootId } = await collector.collect();
  assert.deepEqual([uptimeSeconds, bootId], [105, 'this boot']);
  await clock.advance(1_000);
  assert.equal((await collector.collect()).uptimeSeconds, 7);
});

test('an uptime that cannot be read is zero, and claims that stay equal are the same bytes', async () => {
  const { clock, collector } = createWorld({});
  const first = await collector.collect();
  assert.deepEqual([first.uptimeSeconds, first.bootId], [0, '']);
  await clock.advance(4_000);
  assert.equal((await collector.collect()).uptimeSeconds, 0);
  await clock.advance(2_000);
  const second = await collector.collect();
  assert.equal(second.content.sets.kernel, first.content.sets.kernel);
  assert.equal(second.content.sets.containers, first.content.sets.containers);
});
