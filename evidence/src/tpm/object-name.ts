import { hash } from 'node:crypto';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { type HashAlgorithm, hashByName } from './algorithm.ts';
import type { TpmPublic } from './public-area.ts';

/** Permanent handle of the endorsement hierarchy. */
const RH_ENDORSEMENT = 0x4000000b;

/** Name of an object: nameAlg and the digest of its TPMT_PUBLIC (TPM 2.0 part 1, 16). */
export function computeName(publicArea: TpmPublic): Buffer {
  return prefixAlgorithm(publicArea.nameAlgorithm, publicArea.encoded);
}

/**
 * Qualified Name of a child: nameAlg of the child and the digest of its parent's Qualified Name and its own Name
 * (TPM 2.0 part 1, 26.5). For a primary the parent's Qualified Name is the four bytes of its hierarchy's handle.
 */
export function computeQualifiedName(parent: Uint8Array, name: Uint8Array, nameAlgorithm: HashAlgorithm): Buffer {
  return prefixAlgorithm(nameAlgorithm, Buffer.concat([parent, name]));
}

/**
 * Qualified Name that an AK has as a child of this EK, and the EK a primary of the endorsement hierarchy: a quote that
 * names another signer comes from another hierarchy, whose counters are obfuscated, or from another TPM.
 */
export function computeAkQualifiedName(ekName: Uint8Array, ekAlgorithm: HashAlgorithm, ak: TpmPublic): Buffer {
  const handle = new BinaryWriter().u32(RH_ENDORSEMENT).finish();
  const parent = computeQualifiedName(handle, ekName, ekAlgorithm);
  return computeQualifiedName(parent, computeName(ak), ak.nameAlgorithm);
}

function prefixAlgorithm(algorithm: HashAlgorithm, content: Buffer): Buffer {
  const { id, nodeName } = hashByName(algorithm);
  return new BinaryWriter()
    .u16(id)
    .bytes(hash(nodeName, content, 'buffer'))
    .finish();
}
