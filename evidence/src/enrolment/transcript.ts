import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { EvidenceError } from '../evidence-error.ts';

/** Every field that went either way in an enrolment before the proof, as it stood in its message. */
export interface EnrolmentTranscript {
  readonly kubeNode: string;
  readonly ekPublic: Uint8Array;
  readonly ekCertificates: readonly Uint8Array[];
  readonly nonce: Uint8Array;
  readonly akPublic: Uint8Array;
  readonly signingPublic: Uint8Array;
  readonly certifyAttest: Uint8Array;
  readonly certifySignature: Uint8Array;
  readonly tlsSpkiSha256: Uint8Array;
  /** Certification of this AK by the one that it replaces; both empty where it replaces none. */
  readonly rotationAttest: Uint8Array;
  readonly rotationSignature: Uint8Array;
  readonly idObject: Uint8Array;
  readonly encryptedSecret: Uint8Array;
}

const DOMAIN = 'holdfast-enrol-v1\0';

/**
 * SHA-256 of an enrolment: the domain text, then every field with a 32-bit length in front, the certificates with their
 * number in front, in the order of the type. Two different exchanges never share it.
 */
export function computeTranscript(fields: EnrolmentTranscript): Buffer {
  const writer = new BinaryWriter()
    .bytes(Buffer.from(DOMAIN, 'ascii'))
    .sized32(Buffer.from(fields.kubeNode, 'utf8'))
    .sized32(fields.ekPublic)
    .u32(fields.ekCertificates.length);
  for (const certificate of fields.ekCertificates) writer.sized32(certificate);
  writer
    .sized32(fields.nonce)
    .sized32(fields.akPublic)
    .sized32(fields.signingPublic)
    .sized32(fields.certifyAttest)
    .sized32(fields.certifySignature)
    .sized32(fields.tlsSpkiSha256)
    .sized32(fields.rotationAttest)
    .sized32(fields.rotationSignature)
    .sized32(fields.idObject)
    .sized32(fields.encryptedSecret);
  return createHash('sha256').update(writer.finish()).digest();
}

/** HMAC-SHA-256 of the transcript by the activated secret: the Attester's last word in an enrolment. */
export function computeProof(secret: Uint8Array, transcript: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(transcript).digest();
}

/**
 * Checks that whoever answers knows the secret and saw this very exchange.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY.
 */
export function verifyProof(secret: Uint8Array, transcript: Uint8Array, proof: Uint8Array): void {
  const expected = computeProof(secret, transcript);
  if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) {
    throw new EvidenceError('ERR_EVIDENCE_KEY', 'enrolment proof does not match the exchange');
  }
}
