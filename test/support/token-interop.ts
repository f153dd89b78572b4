import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { computeQualifyingData, decodeBase64url, parsePublic, parseToken, publicToKeyObject } from '@holdfast/evidence';

const VERIFY_WITH_PYTHON = `
import json, sys, jwt
token = open(sys.argv[1]).read().strip()
key = jwt.PyJWK(json.load(open(sys.argv[2])))
claims = jwt.decode(token, key.key, algorithms=["ES256"], options={"verify_aud": False, "verify_iat": False})
print(claims["holdfast"]["kubeNode"])
`;

/** PyJWT, a JWT library of another language, verifies the signature of an emitted token, and refuses a changed one. */
export function assertPythonVerifies(compact: string, directory: string): void {
  const { claims } = parseToken(compact);
  const script = join(directory, 'verify.py');
  const key = join(directory, 'key.json');
  const file = join(directory, 'token.jwt');
  writeFileSync(script, VERIFY_WITH_PYTHON);
  writeFileSync(key, JSON.stringify({ ...claims.cnf.jwk, alg: 'ES256' }));
  const verify = (text: string) => {
    writeFileSync(file, text);
    return execFileSync('/usr/bin/python3', [script, file, key], { encoding: 'utf8', stdio: 'pipe' }).trim();
  };
  assert.equal(verify(compact), claims.holdfast.kubeNode);
  const [header = '', payload = '', signature = ''] = compact.split('.');
  const changed = `${header}.${payload.slice(0, -4)}${payload.endsWith('AAAA') ? 'BBBB' : 'AAAA'}.${signature}`;
  assert.throws(() => verify(changed));
}

/** tpm2_checkquote accepts each quote of an emitted token over that token's payload, and refuses another nonce. */
export function assertCheckquoteAccepts(compact: string, akPublic: Uint8Array, directory: string): void {
  const { header, payload } = parseToken(compact);
  const ak = join(directory, 'ak.pem');
  writeFileSync(ak, publicToKeyObject(parsePublic(akPublic)).export({ type: 'spki', format: 'pem' }));
  const qualification = computeQualifyingData(payload).toString('hex');
  assert.equal(header.tpm?.length, 2);
  for (const [at, quote] of (header.tpm ?? []).entries()) {
    const message = join(directory, `quote-${at}.msg`);
    const signature = join(directory, `quote-${at}.sig`);
    writeFileSync(message, decodeBase64url(quote.attest));
    writeFileSync(signature, decodeBase64url(quote.sig));
    const check = (nonce: string) =>
      execFileSync(
        'tpm2_checkquote',
        [
          '--public',
          ak,
          '--message',
          message,
          '--signature',
          signature,
          '--qualification',
          nonce,
          '--hash-algorithm',
          'sha256',
        ],
        { stdio: 'pipe' },
      );
    check(qualification);
    assert.throws(() => check('00'.repeat(32)));
  }
}
