import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeResponseCode } from './response-code.ts';

const VECTORS: [rc: number, expected: ReturnType<typeof decodeResponseCode>][] = [
  [0x000, { layer: 'none', name: '', retryable: false }],
  [0x01e, { layer: 'tpm', name: 'TPM_RC_BAD_TAG', retryable: false }],
  [0x100, { layer: 'tpm', name: 'TPM_RC_INITIALIZE', retryable: false }],
  [0x12f, { layer: 'tpm', name: 'TPM_RC_AUTH_UNAVAILABLE', retryable: false }],
  [0x18b, { layer: 'tpm', name: 'TPM_RC_HANDLE', target: 'handle', index: 1, retryable: false }],
  [0x084, { layer: 'tpm', name: 'TPM_RC_VALUE', retryable: false }],
  [0x3e0, { layer: 'tpm', name: 'TPM_RC_TICKET', target: 'parameter', index: 3, retryable: false }],
  [0x2d5, { layer: 'tpm', name: 'TPM_RC_SIZE', target: 'parameter', index: 2, retryable: false }],
  [0x98e, { layer: 'tpm', name: 'TPM_RC_AUTH_FAIL', target: 'session', index: 1, retryable: false }],
  [0xa9d, { layer: 'tpm', name: 'TPM_RC_POLICY_FAIL', target: 'session', index: 2, retryable: false }],
  [0x0ca, { layer: 'tpm', name: 'TPM_RC_TYPE', target: 'parameter', retryable: false }],
  [0x902, { layer: 'tpm', name: 'TPM_RC_OBJECT_MEMORY', retryable: true }],
  [0x903, { layer: 'tpm', name: 'TPM_RC_SESSION_MEMORY', retryable: true }],
  [0x908, { layer: 'tpm', name: 'TPM_RC_YIELDED', retryable: true }],
  [0x90a, { layer: 'tpm', name: 'TPM_RC_TESTING', retryable: true }],
  [0x921, { layer: 'tpm', name: 'TPM_RC_LOCKOUT', retryable: false }],
  [0x922, { layer: 'tpm', name: 'TPM_RC_RETRY', retryable: true }],
  [0x501, { layer: 'tpm', name: 'TPM_RC_VENDOR_0x501', retryable: false }],
  [0x0b0143, { layer: 'resmgr', name: 'TSS2_RC_0x143', retryable: false }],
  [0x0c0143, { layer: 'resmgr-tpm', name: 'TPM_RC_COMMAND_CODE', retryable: false }],
  [0x0c0922, { layer: 'resmgr-tpm', name: 'TPM_RC_RETRY', retryable: true }],
  [0x0a000a, { layer: 'tcti', name: 'TSS2_RC_IO_ERROR', retryable: false }],
  [0x070007, { layer: 'esys', name: 'TSS2_RC_BAD_SEQUENCE', retryable: false }],
  [0x080011, { layer: 'sys', name: 'TSS2_RC_MALFORMED_RESPONSE', retryable: false }],
  [0x090010, { layer: 'mu', name: 'TSS2_RC_BAD_SIZE', retryable: false }],
  [0xff0001, { layer: 'unknown', name: 'TSS2_RC_GENERAL_FAILURE', retryable: false }],
];

for (const [rc, expected] of VECTORS) {
  test(`decodes 0x${rc.toString(16)} as ${expected.name || 'success'}`, () => {
    assert.deepEqual(decodeResponseCode(rc), expected);
  });
}

test('gives every 16-bit code of every layer some name, and an index from 1 or none', () => {
  for (const layer of [0, 7, 10, 12, 99]) {
    for (let code = 1; code <= 0xffff; code++) {
      const decoded = decodeResponseCode(layer * 0x10000 + code);
      assert.ok(decoded.name.length > 4);
      assert.ok(decoded.index === undefined || (decoded.index >= 1 && decoded.index <= 15));
      assert.ok(decoded.index === undefined || decoded.target !== undefined);
    }
  }
});
