import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTpm } from './open-tpm.ts';

const WRONG: [what: string, options: unknown, message: RegExp][] = [
  ['no options', undefined, /openTpm takes an object/],
  ['no TCTI', {}, /tcti must be text/],
  ['an empty TCTI', { tcti: '' }, /tcti must be text/],
  ['a TCTI with a zero byte', { tcti: 'device:/dev/tpm0\0x' }, /tcti must be text/],
  ['an endless TCTI', { tcti: `swtpm:path=/${'x'.repeat(600)}` }, /tcti must be text/],
  ['a TCTI of unknown name', { tcti: 'cmd:id' }, /must begin with one of device:, swtpm:, mssim:, tabrmd:/],
  ['a library path as TCTI', { tcti: '/tmp/evil.so' }, /must begin with/],
  ['a misspelt option', { tcti: 'device:/dev/tpmrm0', deadlinems: 5 }, /did you mean "deadlineMs"\?/],
  ['a deadline of zero', { tcti: 'device:/dev/tpmrm0', deadlineMs: 0 }, /deadlineMs must be from 1/],
  ['a deadline as text', { tcti: 'device:/dev/tpmrm0', deadlineMs: '5' }, /deadlineMs must be a whole number/],
  ['a wrong flag', { tcti: 'device:/dev/tpmrm0', exclusive: 'yes' }, /exclusive must be true or false/],
];

for (const [what, options, message] of WRONG) {
  test(`opening with ${what} is a TypeError`, async () => {
    await assert.rejects(async () => Reflect.apply(openTpm, undefined, [options]), { name: 'TypeError', message });
  });
}
