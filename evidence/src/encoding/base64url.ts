import { EvidenceError } from '../evidence-error.ts';

/** Base64url without padding, RFC 4648 section 5. */
export function encodeBase64url(bytes: Uint8Array): string {
  return toBuffer(bytes).toString('base64url');
}

/**
 * Decodes base64url and accepts only the one text that encodes these bytes: no padding, no foreign character, no set
 * bits behind the last byte.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_ENCODING otherwise.
 */
export function decodeBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) {
    throw new EvidenceError('ERR_EVIDENCE_ENCODING', 'text is not canonical base64url');
  }
  return bytes;
}

/** A Buffer over the same memory. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
