import { type KeyObject, X509Certificate } from 'node:crypto';
import { EvidenceError, parsePublic, publicToKeyObject } from '@holdfast/evidence';
import type { TpmDevice } from '../tpm/tpm-device.ts';

/** NV range of EK certificates (TCG EK Credential Profile 2.5 §2.2.1.4 and §2.2.1.5.2); templates lie between them. */
const FIRST_INDEX = 0x01c00002;
const LAST_INDEX = 0x01c000ff;
/** Certificates of the EK's issuers (same, §2.2.1.5.3): one stream over all indexes, so that one may cross a border. */
const FIRST_CHAIN_INDEX = 0x01c00100;
const LAST_CHAIN_INDEX = 0x01c001ff;
const MAX_CERTIFICATES = 8;
const MAX_BYTES = 8_192;
const MAX_CHAIN_BYTES = 64 * 1024;
const DER_SEQUENCE = 0x30;
const LONG_LENGTH = 0x82;

/**
 * Reads the certificates that the TPM holds of this EK (TPMT_PUBLIC) and of issuers, the EK's first. Indexes that cannot
 * be read or hold something else are passed over, and so are certificates of the TPM's other EKs, which are nobody's
 * business here; one that this runtime cannot read is kept. Unverified: they are for the Verifier.
 */
export async function readEkCertificates(device: TpmDevice, ekPublic: Buffer): Promise<Buffer[]> {
  const indexes = (await device.nvIndexes()).toSorted((a, b) => a - b);
  const read = async (index: number): Promise<Buffer> => await device.nvRead(index).catch(() => Buffer.alloc(0));
  const ekKey = encodeKey(ekPublic);
  const own: Buffer[] = [];
  for (const index of indexes.filter((each) => each >= FIRST_INDEX && each <= LAST_INDEX)) {
    const [certificate] = cutCertificates(await read(index));
    if (certificate !== undefined && mayBeOf(certificate, ekKey)) own.push(certificate);
  }
  const parts: Buffer[] = [];
  for (const index of indexes.filter((each) => each >= FIRST_CHAIN_INDEX && each <= LAST_CHAIN_INDEX)) {
    if (parts.reduce((sum, { length }) => sum + length, 0) < MAX_CHAIN_BYTES) parts.push(await read(index));
  }
  return [...own, ...cutCertificates(Buffer.concat(parts))].slice(0, MAX_CERTIFICATES);
}

/** Undefined for a key of a kind that is not known here: that is for the Verifier to refuse. */
function encodeKey(ekPublic: Buffer): Buffer | undefined {
  try {
    return toSpki(publicToKeyObject(parsePublic(ekPublic)));
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** False only for a certificate that can be read and is about another key. */
function mayBeOf(certificate: Buffer, ekKey: Buffer | undefined): boolean {
  try {
    return ekKey === undefined || toSpki(new X509Certificate(certificate).publicKey).equals(ekKey);
  } catch {
    return true;
  }
}

/** For comparing: `KeyObject.equals` leaves an error behind for keys of two kinds, on which a TLS connection then breaks. */
function toSpki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** Certificates one after another. An NV index may be longer than its certificate: the rest is filling. */
function cutCertificates(content: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 4 <= content.length; ) {
    const size = content[at] === DER_SEQUENCE && content[at + 1] === LONG_LENGTH ? 4 + content.readUInt16BE(at + 2) : 0;
    const isWhole = size > 0 && size <= MAX_BYTES && at + size <= content.length;
    if (isWhole) found.push(content.subarray(at, at + size));
    at += isWhole ? size : 1;
  }
  return found;
}
