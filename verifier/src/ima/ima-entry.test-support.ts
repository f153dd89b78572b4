import { hash } from 'node:crypto';
import type { ImaEntry } from '@holdfast/evidence';

/** An entry as IMA makes it for a file; `changes` overrides parts of it. */
export function createImaEntry(path: string, sha256: string, changes: Partial<ImaEntry> = {}): ImaEntry {
  const fields = [
    Buffer.concat([Buffer.from('sha256:\0'), Buffer.from(sha256, 'hex')]),
    Buffer.from(`${path}\0`, 'latin1'),
  ];
  const hashed = Buffer.concat(fields.flatMap((field) => [lengthOf(field), field]));
  return { pcr: 10, templateDigest: hash('sha1', hashed, 'buffer'), template: 'ima-ng', hashed, fields, ...changes };
}

function lengthOf(field: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(field.length);
  return length;
}
