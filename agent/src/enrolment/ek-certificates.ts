import type { TpmDevice } from '../tpm/tpm-device.ts';

/** NV range of EK certificates (TCG EK Credential Profile 2.5 §2.2.1.4 and §2.2.1.5.2); templates lie between them. */
const FIRST_INDEX = 0x01c00002;
const LAST_INDEX = 0x01c000ff;
/** Certificates of the EK's issuers (same, §2.2.1.5.3). */
const FIRST_CHAIN_INDEX = 0x01c00100;
const LAST_CHAIN_INDEX = 0x01c001ff;
const MAX_CERTIFICATES = 8;
const MAX_BYTES = 8_192;
const DER_SEQUENCE = 0x30;

/**
 * Reads every EK certificate that the TPM holds, EK certificates before those of issuers; indexes that cannot be read or
 * hold something else are passed over. Unverified: they are for the Verifier.
 */
export async function readEkCertificates(device: TpmDevice): Promise<Buffer[]> {
  const indexes = (await device.nvIndexes()).filter(isCertificateIndex).sort((a, b) => a - b);
  const certificates: Buffer[] = [];
  for (const index of indexes) {
    if (certificates.length === MAX_CERTIFICATES) break;
    const content = await device.nvRead(index).catch(() => undefined);
    const certificate = content && cutCertificate(content);
    if (certificate !== undefined) certificates.push(certificate);
  }
  return certificates;
}

function isCertificateIndex(index: number): boolean {
  return (index >= FIRST_INDEX && index <= LAST_INDEX) || (index >= FIRST_CHAIN_INDEX && index <= LAST_CHAIN_INDEX);
}

/** An NV index may be longer than its certificate: the rest is filling. */
function cutCertificate(content: Buffer): Buffer | undefined {
  if (content.length < 4 || content[0] !== DER_SEQUENCE || content[1] !== 0x82) return undefined;
  const size = 4 + content.readUInt16BE(2);
  return size <= content.length && size <= MAX_BYTES ? content.subarray(0, size) : undefined;
}
