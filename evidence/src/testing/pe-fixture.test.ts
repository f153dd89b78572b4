export interface MadeSection {
  readonly name: string;
  readonly content: Buffer;
  /** As it stands in memory; the content's length unless given. */
  readonly virtualSize?: number;
}

export interface MadeImage {
  readonly sections: readonly MadeSection[];
  /** Content of WIN_CERTIFICATEs of type PKCS #7. */
  readonly signatures?: readonly Buffer[];
  /** PE32 instead of PE32+. */
  readonly is32?: boolean;
}

const HEADERS = 1024;
const NEW_HEADER = 64;
const FILE_ALIGNMENT = 16;

/** The mark of a program of systemd-boot. */
export function makeMark(program: 'stub' | 'boot', version: number): MadeSection {
  return { name: '.sdmagic', content: Buffer.from(`#### LoaderInfo: systemd-${program} ${version}.1-1 ####\0`) };
}

/** Makes a PE image whose sections follow each other, with a certificate table at its end. */
export function makePe({ sections, signatures = [], is32 = false }: MadeImage): Buffer {
  const headers = Buffer.alloc(HEADERS);
  headers.write('MZ', 0, 'latin1');
  headers.writeUInt32LE(NEW_HEADER, 0x3c);
  headers.write('PE\0\0', NEW_HEADER, 'latin1');
  const coff = NEW_HEADER + 4;
  const optional = coff + 20;
  const directories = is32 ? 96 : 112;
  const optionalBytes = directories + 16 * 8;
  headers.writeUInt16LE(is32 ? 0x14c : 0x8664, coff);
  headers.writeUInt16LE(sections.length, coff + 2);
  headers.writeUInt16LE(optionalBytes, coff + 16);
  headers.writeUInt16LE(is32 ? 0x10b : 0x20b, optional);
  headers.writeUInt32LE(HEADERS, optional + 60);
  headers.writeUInt32LE(0xdeadbeef, optional + 64);
  headers.writeUInt32LE(16, optional + directories - 4);
  let fileOffset = HEADERS;
  const bodies = sections.map(({ name, content, virtualSize = content.length }, place) => {
    const at = optional + optionalBytes + place * 40;
    const body = pad(content, FILE_ALIGNMENT);
    headers.write(name, at, 8, 'latin1');
    headers.writeUInt32LE(virtualSize, at + 8);
    headers.writeUInt32LE(0x1000 * (place + 1), at + 12);
    headers.writeUInt32LE(body.length, at + 16);
    headers.writeUInt32LE(fileOffset, at + 20);
    fileOffset += body.length;
    return body;
  });
  const table = Buffer.concat(signatures.map(makeCertificate));
  headers.writeUInt32LE(table.length === 0 ? 0 : fileOffset, optional + directories + 4 * 8);
  headers.writeUInt32LE(table.length, optional + directories + 4 * 8 + 4);
  return Buffer.concat([headers, ...bodies, table]);
}

function makeCertificate(content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(8 + content.length, 0);
  head.writeUInt16LE(0x0200, 4);
  head.writeUInt16LE(0x0002, 6);
  return pad(Buffer.concat([head, content]), 8);
}

function pad(content: Buffer, alignment: number): Buffer {
  return Buffer.concat([content, Buffer.alloc((alignment - (content.length % alignment)) % alignment)]);
}
