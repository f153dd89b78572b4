import type { BinaryReader } from '../encoding/binary-reader.ts';

/** TPMA_OBJECT (TPM 2.0 part 2, 8.3). */
export interface ObjectAttributes {
  readonly fixedTpm: boolean;
  readonly stClear: boolean;
  readonly fixedParent: boolean;
  readonly sensitiveDataOrigin: boolean;
  readonly userWithAuth: boolean;
  readonly adminWithPolicy: boolean;
  readonly noDa: boolean;
  readonly encryptedDuplication: boolean;
  readonly restricted: boolean;
  readonly decrypt: boolean;
  readonly sign: boolean;
  readonly x509Sign: boolean;
}

const BITS = {
  fixedTpm: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  noDa: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509Sign: 19,
} as const satisfies Record<keyof ObjectAttributes, number>;

const KNOWN = Object.values(BITS).reduce((mask, bit) => mask | (1 << bit), 0);

/** Reads a TPMA_OBJECT and refuses reserved bits. */
export function readAttributes(reader: BinaryReader): ObjectAttributes {
  const value = reader.u32();
  if ((value & ~KNOWN) !== 0) throw reader.malformed('reserved attribute bits are set');
  const has = (bit: number) => (value & (1 << bit)) !== 0;
  return {
    fixedTpm: has(BITS.fixedTpm),
    stClear: has(BITS.stClear),
    fixedParent: has(BITS.fixedParent),
    sensitiveDataOrigin: has(BITS.sensitiveDataOrigin),
    userWithAuth: has(BITS.userWithAuth),
    adminWithPolicy: has(BITS.adminWithPolicy),
    noDa: has(BITS.noDa),
    encryptedDuplication: has(BITS.encryptedDuplication),
    restricted: has(BITS.restricted),
    decrypt: has(BITS.decrypt),
    sign: has(BITS.sign),
    x509Sign: has(BITS.x509Sign),
  };
}

/** The 32-bit TPMA_OBJECT with these attributes set. */
export function encodeAttributes(names: readonly (keyof ObjectAttributes)[]): number {
  return names.reduce((value, name) => value | (1 << BITS[name]), 0);
}
