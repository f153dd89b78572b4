import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAX_KERNEL_FILE_BYTES, readKernelFile } from './kernel-file.ts';

test('a file of the kernel is read whole, and what it held before stays as it was', () => {
  const release = readKernelFile('/proc/sys/kernel/osrelease', 256);
  assert.deepEqual(release, readFileSync('/proc/sys/kernel/osrelease'));
  const before = release?.toString('hex');
  assert.deepEqual(readKernelFile('/proc/sys/kernel/ostype', 256), Buffer.from('Linux\n'));
  assert.equal(release?.toString('hex'), before);
});

test('what is missing, no file or longer than asked for is not read', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kernel-file-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'file');
  writeFileSync(path, 'x'.repeat(MAX_KERNEL_FILE_BYTES + 1));
  assert.equal(readKernelFile(path, MAX_KERNEL_FILE_BYTES), undefined);
  assert.equal(readKernelFile(path, MAX_KERNEL_FILE_BYTES + 1), undefined);
  writeFileSync(path, 'xyz');
  assert.equal(readKernelFile(path, 2), undefined);
  assert.equal(readKernelFile(path, 3)?.toString(), 'xyz');
  assert.equal(readKernelFile(directory, 3), undefined);
  assert.equal(readKernelFile(join(directory, 'missing'), 3), undefined);
});
