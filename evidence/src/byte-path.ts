import { formatUtf8 } from './utf8-text.ts';

/**
 * A path as the kernel sees it: bytes, one per character (latin1), absolute, no trailing slash, no `.`, `..` or empty
 * parts. Paths are bytes and need not be UTF-8; this form keeps them exact and still works as a map key.
 */
export type BytePath = string & { readonly bytePath: unique symbol };

/** ASCII that is its own text. */
const PLAIN = /^[\x20-\x24\x26-\x7e]*$/;
const NORMAL = /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[^/\0\u0100-\uffff]+)+)$/;

/** Takes bytes as a path. Throws `TypeError` when they are not absolute and normal. */
export function toBytePath(path: Uint8Array | string): BytePath {
  return latin1ToBytePath(Buffer.from(path).toString('latin1'));
}

/** The same for bytes that are written as one character each. */
export function latin1ToBytePath(text: string): BytePath {
  if (!NORMAL.test(text))
    throw new TypeError('a byte path is absolute, of bytes, without NUL and empty, . or .. parts');
  return text as BytePath;
}

/** The exact bytes for a system call. */
export function bytePathToBuffer(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Appends one name to a directory. Throws `TypeError` when the name is not a single path component. */
export function joinBytePath(directory: BytePath, name: Uint8Array | string): BytePath {
  const text = typeof name === 'string' ? name : Buffer.from(name).toString('latin1');
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('\0')) {
    throw new TypeError('not a path component');
  }
  return (directory === '/' ? `/${text}` : `${directory}/${text}`) as BytePath;
}

/**
 * Writes a path as text without loss: valid UTF-8 stays, and every byte that is not part of valid UTF-8, every control
 * character and `%` itself becomes `%XX` (upper-case hex). Two paths never share a text.
 */
export function formatBytePath(path: BytePath): string {
  return PLAIN.test(path) ? path : formatUtf8(bytePathToBuffer(path));
}
