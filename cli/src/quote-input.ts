import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  checkAkPublic,
  EvidenceError,
  type HashAlgorithm,
  parsePublic,
  parseSignature,
  publicToKeyObject,
  type TpmPublic,
  type TpmSignature,
  verifySignature,
} from '@holdfast/evidence';
import { undecided } from './cli-error.ts';
import { parseDerSignature } from './der-signature.ts';

/** An attestation key as a person has it. */
export interface AkInput {
  readonly key: KeyObject;
  readonly format: 'pem' | 'tpm';
  /** Why a TPM would sign foreign data with this key; null where it would not, or where only the key itself is known. */
  readonly unsuitable: string | null;
}

const HASHES = ['sha256', 'sha384', 'sha512'] as const satisfies readonly HashAlgorithm[];
const MIN_RSA_BITS = 2048;

/**
 * Reads an AK: PEM, TPM2B_PUBLIC or TPMT_PUBLIC. Throws a sentence where it is none of them, is no RSA, P-256 or P-384
 * key, or is too short.
 */
export function parseAk(bytes: Buffer, path: string): AkInput {
  if (bytes.subarray(0, 64).toString('latin1').trimStart().startsWith('-----BEGIN')) return parsePem(bytes, path);
  const size = bytes.length >= 2 ? bytes.readUInt16BE() : -1;
  const area = size === bytes.length - 2 ? bytes.subarray(2) : bytes;
  try {
    const publicArea = parsePublic(area);
    return { key: publicToKeyObject(publicArea), format: 'tpm', unsuitable: judgeAk(publicArea) };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw undecided(`${path} is neither PEM nor TPM2B_PUBLIC nor TPMT_PUBLIC of an RSA or ECC key: ${error.message}`);
  }
}

function judgeAk(publicArea: TpmPublic): string | null {
  try {
    checkAkPublic(publicArea);
    return null;
  } catch (error) {
    if (error instanceof EvidenceError) return error.message;
    throw error;
  }
}

function parsePem(bytes: Buffer, path: string): AkInput {
  const text = bytes.toString('latin1').trim();
  if (!/^-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text)) throw undecided(`${path} is PEM, but no public key`);
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (error) {
    throw undecided(`${path} is no public key that can be read`, error);
  }
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const isRsa = key.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) >= MIN_RSA_BITS;
  if (!isRsa && namedCurve !== 'prime256v1' && namedCurve !== 'secp384r1') {
    throw undecided(`${path} is no RSA key of ${MIN_RSA_BITS} bits or more, and not on P-256 or P-384`);
  }
  return { key, format: 'pem', unsuitable: null };
}

/**
 * What a signature file may be: a TPMT_SIGNATURE; else a bare RSA signature, r and s side by side, or DER, for each hash
 * and padding that a quote can have. Throws a sentence where it is none of them for this key.
 */
export function listSignatures(bytes: Buffer, key: KeyObject, path: string): readonly TpmSignature[] {
  const wrapped = readWrapped(bytes);
  if (wrapped !== undefined) return [wrapped];
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && bytes.length === Math.ceil(modulusLength / 8)) {
    const schemes = ['rsassa', 'rsapss'] as const;
    return schemes.flatMap((scheme) => HASHES.map((hash): TpmSignature => ({ scheme, hash, value: bytes })));
  }
  const numbers = modulusLength === undefined ? readNumbers(bytes, key) : undefined;
  if (numbers === undefined) {
    throw undecided(`${path} is neither a TPMT_SIGNATURE nor DER nor a raw signature of this key`);
  }
  return HASHES.map((hash): TpmSignature => ({ scheme: 'ecdsa', hash, ...numbers }));
}

/** The one of the signatures that holds; undefined where none does. */
export function findValidSignature(
  signatures: readonly TpmSignature[],
  key: KeyObject,
  message: Buffer,
): TpmSignature | undefined {
  return signatures.find((signature) => {
    try {
      verifySignature(key, message, signature);
      return true;
    } catch (error) {
      if (error instanceof EvidenceError) return false;
      throw error;
    }
  });
}

function readWrapped(bytes: Buffer): TpmSignature | undefined {
  try {
    return parseSignature(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

function readNumbers(bytes: Buffer, key: KeyObject): { r: Buffer; s: Buffer } | undefined {
  const size = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 48 : 32;
  if (bytes.length === size * 2) return { r: bytes.subarray(0, size), s: bytes.subarray(size) };
  try {
    return parseDerSignature(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
