import { constants, type KeyObject, verify } from 'node:crypto';
import { BinaryReader } from '../encoding/binary-reader.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type HashAlgorithm, hashById, hashByName, TPM_ALG } from './algorithm.ts';
import { encodeDerSignature } from './der-signature.ts';
import { padLeft } from './public-area.ts';

export interface RsaSignature {
  readonly scheme: 'rsassa' | 'rsapss';
  readonly hash: HashAlgorithm;
  readonly value: Buffer;
}

export interface EcdsaSignature {
  readonly scheme: 'ecdsa';
  readonly hash: HashAlgorithm;
  /** As the TPM gave it, leading zeros perhaps stripped. */
  readonly r: Buffer;
  readonly s: Buffer;
}

export type TpmSignature = RsaSignature | EcdsaSignature;

/**
 * Parses a TPMT_SIGNATURE (TPM 2.0 part 2, 11.3.4) of RSASSA, RSAPSS or ECDSA; nothing may be left over.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED, which includes any other scheme and unknown hash algorithms.
 */
export function parseSignature(bytes: Uint8Array): TpmSignature {
  const reader = new BinaryReader(bytes, 'big', 'TPMT_SIGNATURE');
  const scheme = reader.u16();
  const hash = hashById(reader.u16())?.name;
  if (hash === undefined) throw reader.malformed('unknown hash algorithm');
  const signature = readScheme(reader, scheme, hash);
  reader.end();
  return signature;
}

function readScheme(reader: BinaryReader, scheme: number, hash: HashAlgorithm): TpmSignature {
  switch (scheme) {
    case TPM_ALG.RSASSA:
      return { scheme: 'rsassa', hash, value: reader.sized16(512) };
    case TPM_ALG.RSAPSS:
      return { scheme: 'rsapss', hash, value: reader.sized16(512) };
    case TPM_ALG.ECDSA:
      return { scheme: 'ecdsa', hash, r: reader.sized16(66), s: reader.sized16(66) };
    default:
      throw reader.malformed('unknown signature scheme');
  }
}

/**
 * The signature as r and s side by side, each padded to `coordinateBytes`: what JWS (RFC 7518, 3.4) wants for ES256,
 * where that is 32.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_SIGNATURE when it is not ECDSA or a number does not fit.
 */
export function toRawSignature(signature: TpmSignature, coordinateBytes = 32): Buffer {
  if (signature.scheme !== 'ecdsa') throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'not an ECDSA signature');
  return Buffer.concat([toCoordinate(signature.r, coordinateBytes), toCoordinate(signature.s, coordinateBytes)]);
}

/**
 * Verifies a TPM's signature over a message: first that scheme and hash suit the key and are accepted (SHA-256,
 * SHA-384, SHA-512), then the signature.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_SIGNATURE.
 */
export function verifySignature(key: KeyObject, message: Uint8Array, signature: TpmSignature): void {
  if (signature.hash === 'sha1' || signature.hash === 'sm3_256') {
    throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', `${signature.hash} signature`);
  }
  const digest = hashByName(signature.hash).nodeName;
  if (!isValid(key, digest, message, signature)) {
    throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'signature does not verify');
  }
}

function isValid(key: KeyObject, digest: string, message: Uint8Array, signature: TpmSignature): boolean {
  if (signature.scheme === 'ecdsa') {
    const bytes = coordinateBytesOf(key);
    return verify(digest, message, key, encodeDerSignature(toRawSignature(signature, bytes)));
  }
  if (key.asymmetricKeyType !== 'rsa') throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'not a signature of this key');
  if (signature.scheme === 'rsassa') {
    return verify(digest, message, { key, padding: constants.RSA_PKCS1_PADDING }, signature.value);
  }
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return verify(digest, message, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_AUTO }, signature.value);
}

/** By key object, since node:crypto makes the details anew each time they are read. */
const curves = new WeakMap<KeyObject, number>();

function coordinateBytesOf(key: KeyObject): number {
  const bytes = curves.get(key) ?? readCoordinateBytes(key);
  curves.set(key, bytes);
  return bytes;
}

function readCoordinateBytes(key: KeyObject): number {
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return 32;
    case 'secp384r1':
      return 48;
    default:
      throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'not a signature of this key');
  }
}

function toCoordinate(number: Buffer, size: number): Buffer {
  const excess = Math.max(0, number.length - size);
  if (number.subarray(0, excess).some((byte) => byte !== 0)) {
    throw new EvidenceError('ERR_EVIDENCE_SIGNATURE', 'signature number is too long');
  }
  return padLeft(number.subarray(excess), size);
}
