import { BinaryWriter } from '../encoding/binary-writer.ts';
import { TPM_ALG } from './algorithm.ts';
import { encodeAttributes, type ObjectAttributes } from './object-attributes.ts';

const ECC_NIST_P256 = 0x0003;
/** No dictionary attack lockout: the auth value is 32 random bytes, and a lockout would let a stranger silence the key. */
const COMMON = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDa', 'sign'] as const;

/** TPMT_PUBLIC template of an attestation key: restricted ECDSA over P-256 with SHA-256. */
export function encodeAkTemplate(): Buffer {
  return encodeTemplate([...COMMON, 'restricted']);
}

/** TPMT_PUBLIC template of an evidence signing key: ECDSA over P-256 with SHA-256, which is ES256. */
export function encodeSigningTemplate(): Buffer {
  return encodeTemplate(COMMON);
}

function encodeTemplate(attributes: readonly (keyof ObjectAttributes)[]): Buffer {
  const empty = Buffer.alloc(0);
  return new BinaryWriter()
    .u16(TPM_ALG.ECC)
    .u16(TPM_ALG.SHA256)
    .u32(encodeAttributes(attributes))
    .sized16(empty)
    .u16(TPM_ALG.NULL)
    .u16(TPM_ALG.ECDSA)
    .u16(TPM_ALG.SHA256)
    .u16(ECC_NIST_P256)
    .u16(TPM_ALG.NULL)
    .sized16(empty)
    .sized16(empty)
    .finish();
}
