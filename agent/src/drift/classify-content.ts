import { namesProgram, startsAsArchive, startsAsList } from './archived-program.ts';
import type { DriftReason } from './drift-reason.ts';
import { hasProgramLines, startsAsProgram } from './program-lines.ts';
import { hasServerTag, hasTagAcross, startsWithServerTag } from './server-tags.ts';

/** How many of a file's first bytes, and of its last ones, the classification looks at. */
export const CONTENT_HEAD_BYTES = 8192;

/** What a file begins with that a kernel, a linker or an interpreter runs. */
const MAGIC: readonly (readonly [bytes: string, DriftReason])[] = [
  ['\x7fELF', 'elf'],
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
  ['#!', 'script'],
  ['\xef\xbb\xbf#!', 'script'],
];
/** Of versions of Python before 3.7: their second byte, then what a code object begins with. */
const OLD_PYTHON = new Set('\x0b\x0c\x0d\x0e\xf2\xf3');
const PYTHON_CODE = new Set('c\xe3');

/** Where a file lies, as far as its content means something else there. */
export interface ContentPlace {
  readonly isLog: boolean;
  readonly isCache: boolean;
}

/** Reasons that the last bytes of a file give, where the first ones are not all. */
export function classifyTail(head: Uint8Array, tail: Uint8Array): DriftReason[] {
  const text = toText(tail);
  const reasons: DriftReason[] = hasServerTag(text) || hasTagAcross(toText(head), text) ? ['script'] : [];
  if (startsAsArchive(toText(head)) && namesProgram(text)) reasons.push('bytecode');
  return reasons;
}

/** Reasons that the list of names of a ZIP archive gives, whatever stands before the archive. */
export function classifyArchiveList(list: Uint8Array): DriftReason[] {
  const text = Buffer.from(list.buffer, list.byteOffset, list.byteLength).toString('latin1');
  return startsAsList(text) && namesProgram(text) ? ['bytecode'] : [];
}

/**
 * Reasons that the first bytes of a file give: what a kernel, a linker or an interpreter would run. Text that only a
 * chosen interpreter would take for a program is found where its lines have the usual form, not for certain. Of a log
 * the beginning alone counts: what follows may be a stranger's words. Of a cache it counts for lines.
 */
export function classifyContent(head: Uint8Array, { isLog, isCache }: ContentPlace): DriftReason[] {
  const text = toText(head);
  const reasons = new Set<DriftReason>();
  for (const [magic, reason] of MAGIC) if (text.startsWith(magic)) reasons.add(reason);
  if (startsAsBytecode(text) || (startsAsArchive(text) && namesProgram(text))) reasons.add('bytecode');
  if (isLog ? startsWithServerTag(text) : hasServerTag(text)) reasons.add('script');
  if (!text.includes('\0') && (isLog || isCache ? startsAsProgram(text) : hasProgramLines(text))) reasons.add('script');
  return [...reasons];
}

/** Where text could begin with the same letters more is asked for. */
function startsAsBytecode(text: string): boolean {
  if (text.startsWith('MZ')) return text.slice(2, 64).includes('\0');
  if (text.startsWith('FOR1')) return text.startsWith('BEAM', 8);
  if (!text.startsWith('\r\n', 2)) return false;
  // Python: a version, a carriage return and line feed, then flags, in whose place older versions have times.
  if (text.charCodeAt(4) <= 3 && text.startsWith('\0\0\0', 5)) return true;
  return OLD_PYTHON.has(text.charAt(1)) && [8, 12].some((at) => PYTHON_CODE.has(text.charAt(at)));
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, CONTENT_HEAD_BYTES)).toString('latin1');
}
