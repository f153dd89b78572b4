/** Names in a ZIP archive that make it a program, whatever it is called itself: Java, Python and Android run it. */
const PROGRAM_NAMES = /META-INF\/MANIFEST\.MF|__main__\.py|classes\.dex|[\w$]\.class|\.pyc/;
const END_RECORD = 'PK\x05\x06';
const END_RECORD_BYTES = 22;
const LIST_BYTES_AT = 12;
/** Of an archive's list of names. */
const MAX_LIST_BYTES = 4 << 20;

/** Whether bytes (latin1) hold names that make an archive a program. */
export function namesProgram(text: string): boolean {
  return PROGRAM_NAMES.test(text);
}

/** Whether bytes begin as a ZIP archive, by its first entry (APPNOTE.TXT, 4.3.7). */
export function startsAsArchive(text: string): boolean {
  return text.startsWith('PK\x03\x04');
}

/** Whether bytes begin as the list of names of a ZIP archive (APPNOTE.TXT, 4.3.12). */
export function startsAsList(text: string): boolean {
  return text.startsWith('PK\x01\x02');
}

/**
 * Where the list of names of a ZIP archive lies, by the end record in a file's last bytes, which begin at `offset`
 * (APPNOTE.TXT, 4.3.16). Whatever stands before the archive, the list ends where that record begins: so Python and Java
 * find it. Undefined where there is none.
 */
export function findArchiveList(last: Uint8Array, offset: number): { offset: number; bytes: number } | undefined {
  const buffer = Buffer.from(last.buffer, last.byteOffset, last.byteLength);
  const at = buffer.lastIndexOf(END_RECORD, undefined, 'latin1');
  if (at === -1 || at + END_RECORD_BYTES > buffer.length) return undefined;
  const bytes = buffer.readUInt32LE(at + LIST_BYTES_AT);
  const start = offset + at - bytes;
  return start < 0 || bytes === 0 ? undefined : { offset: start, bytes: Math.min(bytes, MAX_LIST_BYTES) };
}
