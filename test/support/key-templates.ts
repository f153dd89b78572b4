const SHA256 = '000b';
const NULL_ALGORITHM = '0010';
const ECDSA = '0018';
const RSASSA = '0014';
const P256 = '0003';

const ECC_SIGNING = `0023${SHA256}`;
const ECC_END = `${ECDSA}${SHA256}${P256}${NULL_ALGORITHM}00000000`;

/** TPMT_PUBLIC of keys for tests: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, sign, and noDA: no lockout by wrong values. */
export const KEY_TEMPLATES = {
  /** P-256, ECDSA with SHA-256, restricted: an attestation key. */
  attestation: Buffer.from(`${ECC_SIGNING}000504720000${NULL_ALGORITHM}${ECC_END}`, 'hex'),
  /** The same, not restricted. */
  signing: Buffer.from(`${ECC_SIGNING}000404720000${NULL_ALGORITHM}${ECC_END}`, 'hex'),
  /** RSA-2048, RSASSA with SHA-256, restricted. */
  rsaAttestation: Buffer.from(`0001${SHA256}000504720000${NULL_ALGORITHM}${RSASSA}${SHA256}0800000000000000`, 'hex'),
} as const;
