/** Fixed parts of an entry: PCR index and template digest (SHA-1 sized whatever the bank), then the name's length. */
const DIGEST_BYTES = 20;
const HEAD_BYTES = 4 + DIGEST_BYTES + 4;
/** A custom template is named by the list of its fields. */
const MAX_NAME_BYTES = 256;
const MAX_ENTRY_BYTES = 1024 * 1024;

export interface ImaEntrySpan {
  template: string;
  /** Bytes of the whole entry. */
  size: number;
}

/**
 * Finds where the next entry of a measurement list in the kernel's binary form ends (Linux `ima_fs.c`, little-endian),
 * so that the list can be cut between entries. Nothing in the entry is judged. Undefined where it is not whole.
 */
export function findImaEntry(list: Buffer, at: number): ImaEntrySpan | undefined {
  if (at + HEAD_BYTES > list.length) return undefined;
  const nameSize = list.readUInt32LE(at + 4 + DIGEST_BYTES);
  const afterName = at + HEAD_BYTES + nameSize;
  if (nameSize > MAX_NAME_BYTES || afterName > list.length) return undefined;
  const template = list.toString('latin1', at + HEAD_BYTES, afterName);
  const end = template === 'ima' ? findLegacyEnd(list, afterName) : findSizedEnd(list, afterName);
  if (end === undefined || end > list.length || end - at > MAX_ENTRY_BYTES) return undefined;
  return { template, size: end - at };
}

/** The first template carries its data without a length of the whole: a digest, then a sized file name. */
function findLegacyEnd(list: Buffer, at: number): number | undefined {
  return findSizedEnd(list, at + DIGEST_BYTES);
}

function findSizedEnd(list: Buffer, at: number): number | undefined {
  return at + 4 > list.length ? undefined : at + 4 + list.readUInt32LE(at);
}
