import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TpmError } from './tpm-error.ts';

test('a refusal of the TPM carries what its response code says', () => {
  const error = new TpmError({ code: 'ERR_TPM', command: 'TPM2_Load', rc: 0x98e, message: 'TPM2_Load: refused' });
  assert.ok(error instanceof Error);
  const { code, rc, layer, name, target, index, retryable, command } = error;
  assert.deepEqual(
    { code, rc, layer, name, target, index, retryable, command },
    {
      code: 'ERR_TPM',
      rc: 0x98e,
      layer: 'tpm',
      name: 'TPM_RC_AUTH_FAIL',
      target: 'session',
      index: 1,
      retryable: false,
      command: 'TPM2_Load',
    },
  );
});

test('an error without response code is a TpmError of no layer', () => {
  const error = new TpmError({ code: 'ERR_TPM_TIMEOUT', command: 'quote', message: 'quote: no answer' });
  assert.equal(error.name, 'TpmError');
  assert.equal(error.layer, 'none');
  assert.equal(error.rc, 0);
  assert.equal(error.retryable, false);
  assert.equal(error.index, undefined);
});

test('a full queue and a busy TPM may be tried again, a dead line may not', () => {
  const make = (code: 'ERR_TPM' | 'ERR_TPM_BUSY' | 'ERR_TPM_TCTI', rc: number) =>
    new TpmError({ code, command: 'x', rc, message: 'x' }).retryable;
  assert.equal(make('ERR_TPM_BUSY', 0), true);
  assert.equal(make('ERR_TPM', 0x922), true);
  assert.equal(make('ERR_TPM', 0x921), false);
  assert.equal(make('ERR_TPM_TCTI', 0x922), false);
});

test('the cause is kept', () => {
  const cause = new Error('why');
  assert.equal(new TpmError({ code: 'ERR_TPM_NATIVE', command: 'load', message: 'x', cause }).cause, cause);
});
