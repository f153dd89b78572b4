import { EvidenceError } from '@holdfast/evidence';
import { parseTarNumber } from './tar-numbers.ts';

export const BLOCK_BYTES = 512;

/** One 512-byte header as it stands, before pax and GNU records change it. Text is latin1: one character a byte. */
export interface RawHeader {
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly typeFlag: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly isGnu: boolean;
}

/** Whether a block holds only zeros: two of them end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * Checks the checksum (as unsigned or signed bytes), then reads the fields of a v7, ustar, star or old GNU header.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED. POSIX.1-2017 pax, "ustar Interchange Format".
 */
export function parseTarHeader(block: Buffer): RawHeader {
  checkChecksum(block);
  const magic = block.toString('latin1', 257, 265);
  const isUstar = magic.startsWith('ustar\0');
  const isGnu = magic === 'ustar  \0';
  const hasDevice = isUstar || isGnu;
  const name = text(block, 0, 100);
  const prefix = isUstar ? text(block, 345, isStar(block) ? 131 : 155) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: parseTarNumber(block.subarray(100, 108), 'mode'),
    uid: parseTarNumber(block.subarray(108, 116), 'uid'),
    gid: parseTarNumber(block.subarray(116, 124), 'gid'),
    size: parseTarNumber(block.subarray(124, 136), 'size'),
    typeFlag: block.toString('latin1', 156, 157),
    devMajor: hasDevice ? parseTarNumber(block.subarray(329, 337), 'devmajor') : 0,
    devMinor: hasDevice ? parseTarNumber(block.subarray(337, 345), 'devminor') : 0,
    isGnu,
  };
}

function isStar(block: Buffer): boolean {
  return block.toString('latin1', 508, 512) === 'tar\0';
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? length : end);
}

function checkChecksum(block: Buffer): void {
  const expected = parseTarNumber(block.subarray(148, 156), 'checksum');
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    if (at === 148) at = 156;
    const byte = block[at] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  // Some writers summed signed bytes.
  if (expected !== unsigned && expected !== unsigned - high * 256) {
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'tar: header checksum is wrong');
  }
}
