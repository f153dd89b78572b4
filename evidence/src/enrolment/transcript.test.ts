import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evidenceError, flipBit } from '../testing/foreign-bytes.test.ts';
import { computeProof, computeTranscript, type EnrolmentTranscript, verifyProof } from './transcript.ts';

const fields: EnrolmentTranscript = {
  kubeNode: 'worker-1',
  ekPublic: Buffer.from('ek'),
  ekCertificates: [Buffer.from('one'), Buffer.from('two')],
  nonce: Buffer.alloc(32, 1),
  akPublic: Buffer.from('ak'),
  signingPublic: Buffer.from('signing'),
  certifyAttest: Buffer.from('attest'),
  certifySignature: Buffer.from('signature'),
  tlsSpkiSha256: Buffer.alloc(32, 2),
  rotationAttest: Buffer.from('rotation'),
  rotationSignature: Buffer.from('rotation signature'),
  idObject: Buffer.from('id'),
  encryptedSecret: Buffer.from('encrypted'),
};
const secret = Buffer.alloc(32, 3);

test('a change of any field changes the transcript', () => {
  const seen = new Set([computeTranscript(fields).toString('hex')]);
  for (const [name, value] of Object.entries(fields)) {
    const changed = Array.isArray(value)
      ? [...value, Buffer.alloc(0)]
      : typeof value === 'string'
        ? `${value}x`
        : Buffer.concat([value, Buffer.of(0)]);
    const hex = computeTranscript({ ...fields, [name]: changed }).toString('hex');
    assert.ok(!seen.has(hex), name);
    seen.add(hex);
  }
});

test('bytes cannot move from one field to its neighbour', () => {
  const reference = computeTranscript(fields);
  const moved = { ...fields, akPublic: Buffer.from('aks'), signingPublic: Buffer.from('igning') };
  assert.notDeepEqual(computeTranscript(moved), reference);
  assert.notDeepEqual(computeTranscript({ ...fields, ekCertificates: [Buffer.from('onetwo')] }), reference);
  assert.notDeepEqual(computeTranscript({ ...fields, ekCertificates: [] }), reference);
});

test('the proof of the right secret over this exchange is accepted', () => {
  const transcript = computeTranscript(fields);
  verifyProof(secret, transcript, computeProof(secret, transcript));
});

test('another secret, another exchange, a changed or short proof is refused', () => {
  const transcript = computeTranscript(fields);
  const proof = computeProof(secret, transcript);
  const other = computeTranscript({ ...fields, kubeNode: 'worker-2' });
  const refused = evidenceError('ERR_EVIDENCE_KEY');
  assert.throws(() => verifyProof(Buffer.alloc(32), transcript, proof), refused);
  assert.throws(() => verifyProof(secret, other, proof), refused);
  assert.throws(() => verifyProof(secret, transcript, flipBit(proof, 5)), refused);
  assert.throws(() => verifyProof(secret, transcript, proof.subarray(1)), refused);
  assert.throws(() => verifyProof(secret, transcript, Buffer.alloc(0)), refused);
});
