import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createKeySigner,
  type Ear,
  loadTrust,
  ReferenceRefused,
  signEar,
  signStatement,
  verifyReference,
} from '@holdfast/verifier';

/** OpenSSL and PyJWT stand for everybody else: what we sign they verify, and what they sign we verify. */

const IMAGE = 'a'.repeat(64);
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const NOW = Date.parse('2026-06-01T00:00:00Z');
const SBOM = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  components: [{ type: 'library', name: 'bash', version: '5', purl: 'pkg:deb/debian/bash@5' }],
};
const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'org/app', digest: { sha256: IMAGE } }],
  predicateType: 'https://cyclonedx.org/bom',
  predicate: SBOM,
};
/** OpenSSL's name of the digest; Ed25519 has none. */
const KINDS: { name: string; digest: string | null; make: () => { privateKey: KeyObject; publicKey: KeyObject } }[] = [
  { name: 'P-256', digest: 'sha256', make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  { name: 'P-384', digest: 'sha384', make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
  { name: 'RSA', digest: 'sha256', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  { name: 'Ed25519', digest: null, make: () => generateKeyPairSync('ed25519') },
];

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-references-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** The pre-authentication encoding, written down a second time from the DSSE specification. */
function preAuth(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]);
}

function makeTrust(publicKey: KeyObject) {
  const key = {
    id: 'build-key',
    role: 'sbom',
    environment: 'staging',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    scope: ['org/app'],
    validFrom: '2026-01-01T00:00:00Z',
    validUntil: '2027-01-01T00:00:00Z',
  };
  const file = {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: '2027-01-01T00:00:00Z',
    environment: 'staging',
    keys: [key],
    eks: [],
    ekRoots: [],
  };
  return loadTrust(Buffer.from(JSON.stringify(file)));
}

for (const { name, digest, make } of KINDS) {
  test(`openssl verifies the signature over the pre-authentication encoding: ${name}`, () => {
    const { privateKey, publicKey } = make();
    const { subject: subjects, predicateType, predicate } = STATEMENT;
    const envelope = JSON.parse(
      signStatement({ subjects, predicateType, predicate, key: privateKey, keyId: 'build-key' }),
    );
    const key = write('public.pem', String(publicKey.export({ type: 'spki', format: 'pem' })));
    const data = write('preauth', preAuth(Buffer.from(envelope.payload, 'base64')));
    const signature = write('signature', Buffer.from(envelope.signatures[0].sig, 'base64'));
    const args =
      digest === null
        ? ['pkeyutl', '-verify', '-pubin', '-inkey', key, '-rawin', '-in', data, '-sigfile', signature]
        : ['dgst', `-${digest}`, '-verify', key, '-signature', signature, data];
    execFileSync('openssl', args, { stdio: 'pipe' });
    write('preauth', `x${envelope.payload}`);
    assert.throws(() => execFileSync('openssl', args, { stdio: 'pipe' }));
  });

  test(`an envelope that openssl signed is verified: ${name}`, () => {
    const { privateKey, publicKey } = make();
    const payload = Buffer.from(JSON.stringify(STATEMENT));
    const key = write('private.pem', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    const data = write('preauth', preAuth(payload));
    const signature = execFileSync(
      'openssl',
      digest === null
        ? ['pkeyutl', '-sign', '-inkey', key, '-rawin', '-in', data]
        : ['dgst', `-${digest}`, '-sign', key, data],
      { stdio: 'pipe' },
    );
    const envelope = {
      payloadType: PAYLOAD_TYPE,
      payload: payload.toString('base64'),
      signatures: [{ keyid: '', sig: signature.toString('base64') }],
    };
    const context = { environment: 'staging', now: NOW } as const;
    const trust = makeTrust(publicKey);
    assert.equal(verifyReference(Buffer.from(JSON.stringify(envelope)), trust, context).keyId, 'build-key');
    const changed = {
      ...envelope,
      payload: Buffer.from(JSON.stringify({ ...STATEMENT, extra: 1 })).toString('base64'),
    };
    assert.throws(
      () => verifyReference(Buffer.from(JSON.stringify(changed)), trust, context),
      (error: unknown) => error instanceof ReferenceRefused && error.reason === 'BAD_SIGNATURE',
    );
  });
}

const PYTHON = `
import json, sys, jwt
token, key = sys.stdin.read().split('\\n', 1)
claims = jwt.decode(token, key, algorithms=['ES256', 'ES384', 'PS256', 'EdDSA'], options={'require': ['exp', 'iat']})
print(json.dumps([jwt.get_unverified_header(token), claims]))
`;

for (const { name, make } of KINDS) {
  test(`PyJWT verifies an Attestation Result: ${name}`, async () => {
    const { privateKey, publicKey } = make();
    const issuedAt = Math.floor(Date.now() / 1000) - 5;
    const ear: Ear = {
      issuedAt,
      expiresAt: issuedAt + 600,
      id: 'result-1',
      verifier: { developer: 'https://example.com', build: 'holdfast' },
      submods: { node: { status: 'warning', vector: { hardware: 2, configuration: 36 }, policyIds: [] } },
    };
    const token = await signEar(ear, createKeySigner(privateKey, 'result-key'));
    const verify = (jwt: string): unknown => {
      const input = `${jwt}\n${String(publicKey.export({ type: 'spki', format: 'pem' }))}`;
      return JSON.parse(
        execFileSync('/usr/bin/python3', ['-c', PYTHON], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] }),
      );
    };
    const [header, claims] = Object(verify(token));
    assert.deepEqual([header.typ, header.kid], ['eat+jwt', 'result-key']);
    assert.equal(claims.submods.node.ear_status, 'warning');
    const [head, payload, signature] = token.split('.');
    const forged = Buffer.from(payload ?? '', 'base64url')
      .toString()
      .replaceAll('"warning"', '"affirming"');
    assert.throws(() => verify(`${head}.${Buffer.from(forged).toString('base64url')}.${signature}`));
  });
}
