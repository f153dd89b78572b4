/** Algorithm identifiers of the TCG Algorithm Registry that this package knows. */
export const TPM_ALG = {
  RSA: 0x0001,
  SHA1: 0x0004,
  AES: 0x0006,
  SHA256: 0x000b,
  SHA384: 0x000c,
  SHA512: 0x000d,
  NULL: 0x0010,
  SM3_256: 0x0012,
  RSASSA: 0x0014,
  RSAES: 0x0015,
  RSAPSS: 0x0016,
  OAEP: 0x0017,
  ECDSA: 0x0018,
  ECC: 0x0023,
  CFB: 0x0043,
} as const;

export type HashAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sm3_256';

interface HashInfo {
  readonly name: HashAlgorithm;
  readonly id: number;
  readonly bytes: number;
  /** As node:crypto names it. */
  readonly nodeName: string;
}

const HASHES: readonly HashInfo[] = [
  { name: 'sha1', id: TPM_ALG.SHA1, bytes: 20, nodeName: 'sha1' },
  { name: 'sha256', id: TPM_ALG.SHA256, bytes: 32, nodeName: 'sha256' },
  { name: 'sha384', id: TPM_ALG.SHA384, bytes: 48, nodeName: 'sha384' },
  { name: 'sha512', id: TPM_ALG.SHA512, bytes: 64, nodeName: 'sha512' },
  { name: 'sm3_256', id: TPM_ALG.SM3_256, bytes: 32, nodeName: 'sm3' },
];

const HASH_BY_ID = new Map(HASHES.map((info) => [info.id, info]));
const HASH_BY_NAME = new Map(HASHES.map((info) => [info.name, info]));

/** Undefined for an identifier that this package does not know. */
export function hashById(id: number): HashInfo | undefined {
  return HASH_BY_ID.get(id);
}

export function hashByName(name: HashAlgorithm): HashInfo {
  const info = HASH_BY_NAME.get(name);
  if (info === undefined) throw new TypeError('unknown hash algorithm');
  return info;
}
