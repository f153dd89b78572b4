/** Raw parts of a tar for tests: nothing is checked, so that malformed ones can be made. */
export interface MemberBytes {
  readonly name?: string | Buffer;
  readonly flag?: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Written in place of the content's length. */
  readonly size?: number;
  readonly link?: string | Buffer;
  readonly device?: readonly [number, number];
  readonly magic?: string;
  /** Last touches before the checksum. */
  readonly edit?: (header: Buffer) => void;
}

const BLOCK = 512;

export function member(fields: MemberBytes): Buffer {
  const content = Buffer.from(fields.content ?? '');
  const header = Buffer.alloc(BLOCK);
  Buffer.from(fields.name ?? 'file').copy(header, 0, 0, 100);
  octal(header, 100, 8, fields.mode ?? 0o644);
  octal(header, 108, 8, fields.uid ?? 0);
  octal(header, 116, 8, fields.gid ?? 0);
  octal(header, 124, 12, fields.size ?? content.length);
  octal(header, 136, 12, 1_700_000_000);
  header.write(fields.flag ?? '0', 156, 'latin1');
  Buffer.from(fields.link ?? '').copy(header, 157, 0, 100);
  header.write(fields.magic ?? 'ustar\x0000', 257, 'latin1');
  octal(header, 329, 8, fields.device?.[0] ?? 0);
  octal(header, 337, 8, fields.device?.[1] ?? 0);
  fields.edit?.(header);
  seal(header);
  return Buffer.concat([header, pad(content)]);
}

/** A pax header with the given records in front of the next member. */
export function pax(records: readonly (readonly [string, string | Buffer])[], flag = 'x'): Buffer {
  return member({
    name: 'PaxHeaders/x',
    flag,
    content: Buffer.concat(records.map(([key, value]) => record(key, value))),
  });
}

export function record(key: string, value: string | Buffer): Buffer {
  const tail = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return Buffer.concat([Buffer.from(String(length)), tail]);
}

export function archive(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(2 * BLOCK)]);
}

export function pad(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

/** Writes the checksum. */
export function seal(header: Buffer): void {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

export function octal(header: Buffer, at: number, width: number, value: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}
