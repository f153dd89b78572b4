import { BinaryReader } from '../encoding/binary-reader.ts';
import { type HashAlgorithm, hashById, TPM_ALG } from './algorithm.ts';
import { type ObjectAttributes, readAttributes } from './object-attributes.ts';

export type EccCurve = 'P-256' | 'P-384';

export interface SymmetricDefinition {
  readonly algorithm: 'aes';
  readonly keyBits: 128 | 192 | 256;
}

export type SchemeName = 'rsassa' | 'rsapss' | 'rsaes' | 'oaep' | 'ecdsa';

export interface KeyScheme {
  readonly name: SchemeName;
  /** Null for RSAES, which has none. */
  readonly hash: HashAlgorithm | null;
}

interface PublicHead {
  /** The exact TPMT_PUBLIC that was parsed: what Names are computed from. */
  readonly encoded: Buffer;
  readonly nameAlgorithm: HashAlgorithm;
  readonly attributes: ObjectAttributes;
  readonly authPolicy: Buffer;
  /** AES in CFB mode; null for keys that protect nothing. */
  readonly symmetric: SymmetricDefinition | null;
  /** Null where each command chooses. */
  readonly scheme: KeyScheme | null;
}

export interface RsaPublic extends PublicHead {
  readonly type: 'rsa';
  readonly keyBits: number;
  readonly exponent: number;
  readonly modulus: Buffer;
}

export interface EccPublic extends PublicHead {
  readonly type: 'ecc';
  readonly curve: EccCurve;
  readonly x: Buffer;
  readonly y: Buffer;
}

export type TpmPublic = RsaPublic | EccPublic;

const DEFAULT_EXPONENT = 65537;
const CURVES = new Map<number, EccCurve>([
  [0x0003, 'P-256'],
  [0x0004, 'P-384'],
]);
const SCHEMES = new Map<number, SchemeName>([
  [TPM_ALG.RSASSA, 'rsassa'],
  [TPM_ALG.RSAPSS, 'rsapss'],
  [TPM_ALG.RSAES, 'rsaes'],
  [TPM_ALG.OAEP, 'oaep'],
  [TPM_ALG.ECDSA, 'ecdsa'],
]);

/** Bytes of one coordinate or of the private scalar. */
export function curveBytes(curve: EccCurve): number {
  return curve === 'P-256' ? 32 : 48;
}

/**
 * Parses a TPMT_PUBLIC (TPM 2.0 part 2, 12.2.4) of an RSA or ECC key, without size prefix; nothing may be left over.
 * Only its form is checked: not what the key may be used for, nor that the point is on its curve.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED.
 */
export function parsePublic(bytes: Uint8Array): TpmPublic {
  const reader = new BinaryReader(bytes, 'big', 'TPMT_PUBLIC');
  const type = reader.u16();
  if (type !== TPM_ALG.RSA && type !== TPM_ALG.ECC) throw reader.malformed('neither an RSA nor an ECC key');
  const nameAlgorithm = readHash(reader);
  const attributes = readAttributes(reader);
  const authPolicy = reader.sized16(64);
  const symmetric = readSymmetric(reader);
  const scheme = readScheme(reader);
  const head = { encoded: Buffer.from(bytes), nameAlgorithm, attributes, authPolicy, symmetric, scheme };
  const key: TpmPublic = type === TPM_ALG.RSA ? readRsa(reader, head) : readEcc(reader, head);
  reader.end();
  return key;
}

function readRsa(reader: BinaryReader, head: PublicHead): RsaPublic {
  const keyBits = reader.u16();
  const exponent = reader.u32();
  const modulus = reader.sized16(512);
  if (modulus.length * 8 !== keyBits) throw reader.malformed('modulus has another length than the key');
  return { type: 'rsa', ...head, keyBits, exponent: exponent === 0 ? DEFAULT_EXPONENT : exponent, modulus };
}

function readEcc(reader: BinaryReader, head: PublicHead): EccPublic {
  const curve = CURVES.get(reader.u16());
  if (curve === undefined) throw reader.malformed('unknown curve');
  const kdf = reader.u16();
  if (kdf !== TPM_ALG.NULL) readHash(reader);
  const size = curveBytes(curve);
  const x = reader.sized16(size);
  const y = reader.sized16(size);
  return { type: 'ecc', ...head, curve, x: padLeft(x, size), y: padLeft(y, size) };
}

function readSymmetric(reader: BinaryReader): SymmetricDefinition | null {
  const algorithm = reader.u16();
  if (algorithm === TPM_ALG.NULL) return null;
  if (algorithm !== TPM_ALG.AES) throw reader.malformed('unknown symmetric algorithm');
  const keyBits = reader.u16();
  if (keyBits !== 128 && keyBits !== 192 && keyBits !== 256) throw reader.malformed('unknown AES key size');
  if (reader.u16() !== TPM_ALG.CFB) throw reader.malformed('unknown AES mode');
  return { algorithm: 'aes', keyBits };
}

function readScheme(reader: BinaryReader): KeyScheme | null {
  const id = reader.u16();
  if (id === TPM_ALG.NULL) return null;
  const name = SCHEMES.get(id);
  if (name === undefined) throw reader.malformed('unknown scheme');
  return { name, hash: name === 'rsaes' ? null : readHash(reader) };
}

function readHash(reader: BinaryReader): HashAlgorithm {
  const hash = hashById(reader.u16());
  if (hash === undefined) throw reader.malformed('unknown hash algorithm');
  return hash.name;
}

/** TPMs may strip leading zeros of a number. */
export function padLeft(number: Uint8Array, size: number): Buffer {
  return Buffer.concat([Buffer.alloc(Math.max(0, size - number.length)), number]);
}
