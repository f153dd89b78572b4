import { deflateRawSync } from 'node:zlib';

export interface ZipFixture {
  readonly name: string;
  readonly content: string | Buffer;
  readonly isStored?: boolean;
  /** In place of the real size, for archives that lie. */
  readonly bytes?: number;
  readonly flags?: number;
}

/** A zip archive; `entries` of the end record can be made to lie. */
export function encodeZip(
  files: readonly ZipFixture[],
  options: { readonly prefix?: Buffer; readonly comment?: string; readonly entries?: number } = {},
): Buffer {
  const { prefix = Buffer.alloc(0), comment = '', entries = files.length } = options;
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content, isStored = false, bytes, flags = 0 } of files) {
    const plain = Buffer.from(content);
    const packed = isStored ? plain : deflateRawSync(plain);
    const text = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(text.length, 26);
    const row = Buffer.alloc(46);
    row.writeUInt32LE(0x02014b50, 0);
    row.writeUInt16LE(flags, 8);
    row.writeUInt16LE(isStored ? 0 : 8, 10);
    row.writeUInt32LE(packed.length, 20);
    row.writeUInt32LE(bytes ?? plain.length, 24);
    row.writeUInt16LE(text.length, 28);
    row.writeUInt32LE(offset, 42);
    locals.push(local, text, packed);
    central.push(row, text);
    offset += 30 + text.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([prefix, ...locals, directory, end, Buffer.from(comment)]);
}

/** `pom.properties` of the coordinates, where Maven puts it. */
export function pomEntry(group: string, artifact: string, version: string): ZipFixture {
  return {
    name: `META-INF/maven/${group}/${artifact}/pom.properties`,
    content: `#Generated\ngroupId=${group}\nartifactId=${artifact}\nversion=${version}\n`,
  };
}
