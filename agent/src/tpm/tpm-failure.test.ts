import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeTpmError } from './fake-tpm-device.test-support.ts';
import { classifyTpmFailure } from './tpm-failure.ts';

const rows: [string, unknown, string][] = [
  ['a timeout', new FakeTpmError('ERR_TPM_TIMEOUT'), 'lost'],
  ['a broken connection', new FakeTpmError('ERR_TPM_TCTI', 0xa000a), 'lost'],
  ['a dead context', new FakeTpmError('ERR_TPM_DEAD'), 'lost'],
  ['a TPM that was not started', new FakeTpmError('ERR_TPM', 0x100), 'lost'],
  ['no room for objects', new FakeTpmError('ERR_TPM', 0x902), 'lost'],
  ['no room for sessions', new FakeTpmError('ERR_TPM', 0x903), 'lost'],
  ['no memory', new FakeTpmError('ERR_TPM', 0x904), 'lost'],
  ['no handle for one more session', new FakeTpmError('ERR_TPM', 0x905), 'lost'],
  ['no handle for one more object', new FakeTpmError('ERR_TPM', 0x906), 'lost'],
  ['no handle for one more session through a resource manager', new FakeTpmError('ERR_TPM', 0xb0905), 'lost'],
  ['a locality that is not allowed', new FakeTpmError('ERR_TPM', 0x907), 'other'],
  ['a handle that is gone', new FakeTpmError('ERR_TPM', 0x910), 'handleGone'],
  ['a second handle that is gone', new FakeTpmError('ERR_TPM', 0x911), 'handleGone'],
  ['a handle that never was', new FakeTpmError('ERR_TPM', 0x18b), 'handleGone'],
  ['a blob of another TPM', new FakeTpmError('ERR_TPM', 0x1df), 'foreignBlob'],
  ['a blob of another TPM through a resource manager', new FakeTpmError('ERR_TPM', 0xc01df), 'foreignBlob'],
  ['a wrong auth value', new FakeTpmError('ERR_TPM', 0x98e), 'other'],
  ['a lockout', new FakeTpmError('ERR_TPM', 0x921), 'other'],
  ['the same bits from another layer', new FakeTpmError('ERR_TPM', 0x901df), 'other'],
  ['another error', new TypeError('wrong'), 'other'],
  ['no error at all', 'text', 'other'],
];

for (const [name, error, expected] of rows) {
  test(`${name} means ${expected}`, () => assert.equal(classifyTpmFailure(error), expected));
}
