import type { DriftReason } from './drift-reason.ts';

/** How many of a file's first bytes, and of its last ones, the classification looks at. */
export const CONTENT_HEAD_BYTES = 8192;

const MAGIC: readonly (readonly [bytes: string, DriftReason])[] = [
  ['\x7fELF', 'elf'],
  ['MZ', 'bytecode'],
  ['\0asm', 'bytecode'],
  ['\xca\xfe\xba\xbe', 'bytecode'],
  ['\xfe\xed\xfa', 'bytecode'],
  ['\xce\xfa\xed\xfe', 'bytecode'],
  ['\xcf\xfa\xed\xfe', 'bytecode'],
  ['\x1bLua', 'bytecode'],
  ['\x1bLJ', 'bytecode'],
  ['BC\xc0\xde', 'bytecode'],
  ['dex\n', 'bytecode'],
  ['!<arch>\n', 'bytecode'],
  ['\xed\xab\xee\xdb', 'bytecode'],
  ['FOR1', 'bytecode'],
];

/**
 * Server-side tags: an interpreter that is pointed at the file runs what stands in them, wherever they are. Short ones
 * count where text follows: among random bytes, as in pictures and packed files, each would turn up by chance.
 */
const EMBEDDED_CODE =
  /<\?php|<\?[=\s][\t\n\r -~]{4}|<%[@=!\s][\t\n\r -~]{6}|<jsp:|<cfscript|<script[^>]{0,64}(?:runat\s*=|language\s*=\s*["']?php)|<!--#\s*(?:exec|include)\b/i;
/** Names in a ZIP archive that make it a program, whatever it is called itself: Java, Python and Android run it. */
const ARCHIVED_PROGRAM = /META-INF\/MANIFEST\.MF|__main__\.py|classes\.dex|[\w$]\.class/;
/** A Python cache file starts with a version and a carriage return, line feed. */
const PYTHON_CACHE = /^[\s\S]{2}\r\n/;
/** Programs in text that start without `#!`, as far as their first line tells. */
const CODE_LINE =
  /^[^\S\r\n]*(?:import\s+[\w.]+(?:\s+as\s+\w+)?\s*(?:[;,#]|$)|from\s+[\w.]+\s+import\s|def\s+\w+\s*\(|class\s+\w+\s*[(:{]|use\s+strict\b|require\s*\(?['"]|const\s+\w+\s*=\s*require\b|eval\s*[("'$`]|exec\s+\S+\s)/m;

/** Reasons that the last bytes of a file give, where the first ones are not all. */
export function classifyTail(head: Uint8Array, tail: Uint8Array): DriftReason[] {
  const text = toText(tail);
  const reasons: DriftReason[] = EMBEDDED_CODE.test(text) ? ['script'] : [];
  if (isArchive(toText(head)) && ARCHIVED_PROGRAM.test(text)) reasons.push('bytecode');
  return reasons;
}

/**
 * Reasons that the first bytes of a file give: what a kernel, a linker or an interpreter would run. Text that only a
 * chosen interpreter would take for a program is found where its lines have the usual form, not for certain.
 */
export function classifyContent(head: Uint8Array): DriftReason[] {
  const text = toText(head);
  const reasons = new Set<DriftReason>();
  for (const [magic, reason] of MAGIC) if (text.startsWith(magic)) reasons.add(reason);
  if (PYTHON_CACHE.test(text) || (isArchive(text) && ARCHIVED_PROGRAM.test(text))) reasons.add('bytecode');
  if (/^(?:\xef\xbb\xbf)?#!/.test(text) || EMBEDDED_CODE.test(text)) reasons.add('script');
  if (!text.includes('\0') && CODE_LINE.test(text)) reasons.add('script');
  return [...reasons];
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, CONTENT_HEAD_BYTES)).toString('latin1');
}

/** By the first entry of a ZIP archive (APPNOTE.TXT, 4.3.7). */
function isArchive(text: string): boolean {
  return text.startsWith('PK\x03\x04');
}
