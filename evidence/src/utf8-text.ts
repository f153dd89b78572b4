/** Control and format characters, bidirectional overrides among them, would let a name forge what a person reads. */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u;
const REPLACEMENT = '\ufffd';
const PERCENT = 0x25;
const DIGITS = Buffer.from('0123456789ABCDEF');

/** Valid UTF-8 as text, with `%XX` for each byte that is no part of it, of an unreadable character or a `%`. */
export function formatUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // Most texts are what they say; where a byte was replaced it takes a closer look to tell.
  const isPlain = !text.includes('%') && !text.includes(REPLACEMENT) && !UNREADABLE.test(text);
  return isPlain ? text : escapeBytes(bytes);
}

function escapeBytes(bytes: Buffer): string {
  const escaped = Buffer.allocUnsafe(bytes.length * 3);
  let end = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = measureCharacter(bytes, at);
    const isKept = size === 1 ? isPlainAscii(bytes[at] ?? 0) : isReadable(bytes, at, size);
    for (const next = at + size; at < next; at += 1) {
      const byte = bytes[at] ?? 0;
      if (isKept) escaped[end++] = byte;
      else {
        escaped[end++] = PERCENT;
        escaped[end++] = DIGITS[byte >> 4] ?? 0;
        escaped[end++] = DIGITS[byte & 0xf] ?? 0;
      }
    }
  }
  return escaped.toString('utf8', 0, end);
}

/** Bytes of the character that begins here; 1 for ASCII and for what is no valid UTF-8 (Unicode 15, table 3-7). */
function measureCharacter(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0xc2 || lead > 0xf4) return 1;
  const second = bytes[at + 1] ?? 0;
  // Neither longer forms than needed, nor surrogates, nor anything above U+10FFFF.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 1;
  if (lead < 0xe0) return 2;
  if (!isContinuation(bytes[at + 2])) return 1;
  if (lead < 0xf0) return 3;
  return isContinuation(bytes[at + 3]) ? 4 : 1;
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}

function isPlainAscii(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== PERCENT;
}

function isReadable(bytes: Buffer, at: number, size: number): boolean {
  let code = (bytes[at] ?? 0) & (0xff >> (size + 1));
  for (let next = at + 1; next < at + size; next += 1) code = (code << 6) | ((bytes[next] ?? 0) & 0x3f);
  return !UNREADABLE.test(String.fromCodePoint(code));
}
