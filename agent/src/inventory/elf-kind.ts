export type ElfKind = 'executable' | 'sharedObject';

/** What every one begins with. */
export const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

/** Bytes of a file that `classifyElf` looks at. */
export const ELF_HEAD_BYTES = 20;

const ET_EXEC = 2;
const ET_DYN = 3;

/**
 * Says whether a file is an ELF program or shared object, from its first bytes. Position-independent programs have the
 * type of shared objects: a name with `.so` or a mode without execute bit tells those. Object files, kernel modules and
 * core dumps are neither.
 */
export function classifyElf(head: Buffer, name: string, mode: number): ElfKind | undefined {
  if (head.length < ELF_HEAD_BYTES || !head.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC)) return undefined;
  const type = head[5] === 2 ? head.readUInt16BE(16) : head.readUInt16LE(16);
  if (type === ET_EXEC) return 'executable';
  if (type !== ET_DYN) return undefined;
  const isLibrary = /\.so(?:\.|$)/.test(name) || (mode & 0o111) === 0;
  return isLibrary ? 'sharedObject' : 'executable';
}
