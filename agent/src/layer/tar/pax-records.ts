import { EvidenceError } from '@holdfast/evidence';
import { parseDecimal } from './tar-numbers.ts';

/** Records of one pax header, values as bytes: extended attributes are not text. The last of a name wins. */
export type PaxRecords = Map<string, Buffer>;

const TEXT_KEYS = new Set(['path', 'linkpath', 'uname', 'gname']);

/**
 * Reads the records `LENGTH KEY=VALUE\n` of a pax extended header. The repeated offset and length records of GNU
 * sparse 0.0 are joined into one `GNU.sparse.map`.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED. POSIX.1-2017 pax, "pax Extended Header".
 */
export function parsePaxRecords(bytes: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  const sparse: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + recordLength(bytes, at);
    const body = bytes.subarray(bytes.indexOf(0x20, at) + 1, end - 1);
    const equals = body.indexOf(0x3d);
    if (bytes[end - 1] !== 0x0a || equals < 1) throw malformed('pax record');
    const key = body.toString('latin1', 0, equals);
    const value = Buffer.from(body.subarray(equals + 1));
    if (key.includes('\0') || (TEXT_KEYS.has(key) && value.includes(0))) throw malformed('pax record');
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') addSparse(sparse, key, value);
    else records.set(key, value);
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', Buffer.from(sparse.join(',')));
  return records;
}

function recordLength(bytes: Buffer, at: number): number {
  const space = bytes.indexOf(0x20, at);
  if (space < 0 || space - at > 16) throw malformed('pax record length');
  const length = parseDecimal(bytes.toString('latin1', at, space), 'pax record length');
  if (length < space - at + 4 || at + length > bytes.length) throw malformed('pax record length');
  return length;
}

function addSparse(sparse: string[], key: string, value: Buffer): void {
  const isOffset = key === 'GNU.sparse.offset';
  if ((sparse.length % 2 === 0) !== isOffset || value.includes(0x2c)) throw malformed('sparse map');
  sparse.push(value.toString('latin1'));
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `tar: ${what} is malformed`);
}
