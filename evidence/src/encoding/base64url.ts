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
  checkBase64url(text);
  return Buffer.from(text, 'base64url');
}

const ALPHABET = /^[A-Za-z0-9_-]*$/;
/** Last characters of a text by its length modulo 4, where bits of theirs are behind the last byte: those are zero. */
const LAST_OF_TWO = 'AQgw';
const LAST_OF_THREE = 'AEIMQUYcgkosw048';

/** Refuses what `decodeBase64url` refuses, without decoding it. */
export function checkBase64url(text: string): void {
  if (!ALPHABET.test(text) || !endsWhole(text)) {
    throw new EvidenceError('ERR_EVIDENCE_ENCODING', 'text is not canonical base64url');
  }
}

function endsWhole(text: string): boolean {
  const last = text.charAt(text.length - 1);
  switch (text.length % 4) {
    case 0:
      return true;
    case 2:
      return LAST_OF_TWO.includes(last);
    case 3:
      return LAST_OF_THREE.includes(last);
    default:
      return false;
  }
}

/** A Buffer over the same memory. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
