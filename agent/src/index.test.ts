import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AGENT_VERSION } from './version.ts';

test('importing the package loads no native code', async () => {
  await import('./index.ts');
  const report = process.report.getReport();
  assert.ok('sharedObjects' in report && Array.isArray(report.sharedObjects));
  const addons = report.sharedObjects.filter((path) => String(path).endsWith('.node'));
  assert.deepEqual(addons, []);
});

test('importing the package loads neither gRPC nor the log: an inventory starts in a fraction of their time', () => {
  const script = `await import('@holdfast/agent'); process.stdout.write(String(process.moduleLoadList.includes('NativeModule http2')))`;
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  assert.equal(execFileSync(process.execPath, options, { cwd: import.meta.dirname, encoding: 'utf8' }), 'false');
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(AGENT_VERSION, version);
});
