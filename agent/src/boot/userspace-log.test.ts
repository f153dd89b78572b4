import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { FakeHostFiles } from '../host/fake-host-files.test-support.ts';
import { listUserspacePcrs, readUserspaceLog } from './userspace-log.ts';

const PATH = '/run/log/systemd/tpm2-measure.log';

function makeRecord(pcr: number): string {
  const digests = [{ hashAlg: 'sha256', digest: hash('sha256', 'ready') }];
  return `\x1e${JSON.stringify({ pcr, digests, content_type: 'systemd', content: { string: 'ready' } })}\n`;
}

test('the log is read where systemd keeps one', () => {
  assert.equal(readUserspaceLog(new FakeHostFiles({})), undefined);
  assert.equal(readUserspaceLog(new FakeHostFiles({ [PATH]: '' })), undefined);
  assert.equal(readUserspaceLog(new FakeHostFiles({ [PATH]: makeRecord(11) }))?.toString(), makeRecord(11));
});

test('only PCRs of the operating system count as explained by it', () => {
  const log = [11, 15, 11, 4, 12, 23].map(makeRecord).join('');
  assert.deepEqual(listUserspacePcrs(Buffer.from(log)), [11, 15]);
  assert.deepEqual(listUserspacePcrs(Buffer.from('no log')), []);
  assert.deepEqual(listUserspacePcrs(Buffer.from(`${log}\x1e{}\n`)), []);
});
