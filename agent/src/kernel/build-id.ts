const NT_GNU_BUILD_ID = 3;

/**
 * Finds the GNU build-id, hex, in the ELF notes of the running kernel (/sys/kernel/notes, little-endian; ELF gABI part 2,
 * note section). Null where there is none or the notes do not parse.
 */
export function parseBuildId(notes: Buffer): string | null {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const size = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const content = at + 12 + align(nameSize);
    if (content + size > notes.length) return null;
    const name = notes.toString('latin1', at + 12, at + 12 + nameSize);
    if (type === NT_GNU_BUILD_ID && name === 'GNU\0') {
      return size >= 8 && size <= 64 ? notes.toString('hex', content, content + size) : null;
    }
    at = content + align(size);
  }
  return null;
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}
