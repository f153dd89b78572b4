/** Below this no structure takes more than a few MiB. */
const MIN_BYTES = 64 * 1024;
/** An object or array takes some 60 bytes for the one or two that it is written in. */
const MAX_VALUES = 300_000;
const MAX_DEPTH = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/**
 * Whether a JSON text would take many times its size in memory once parsed: more than 300,000 values, or more than 512
 * deep. Looks at the bytes alone, whatever they are; false for what does not begin as an object or array.
 */
export function isOverstructured(bytes: Buffer): boolean {
  if (bytes.length < MIN_BYTES || !/^(?:\xef\xbb\xbf)?\s*[[{]/.test(bytes.toString('latin1', 0, 256))) return false;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = findStringEnd(bytes, at);
    else if (byte === COMMA) values += 1;
    else if (isOpening(byte)) {
      values += 1;
      depth += 1;
    } else if (isClosing(byte)) depth -= 1;
    if (depth > MAX_DEPTH || values > MAX_VALUES) return true;
  }
  return false;
}

/** Where the string ends whose quote is at `start`, or the text does. */
function findStringEnd(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
}

function isOpening(byte: number | undefined): boolean {
  return byte === 0x5b || byte === 0x7b;
}

function isClosing(byte: number | undefined): boolean {
  return byte === 0x5d || byte === 0x7d;
}
