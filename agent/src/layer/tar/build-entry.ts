import { EvidenceError } from '@holdfast/evidence';
import type { PaxRecords } from './pax-records.ts';
import type { SparseSegment } from './sparse-map.ts';
import type { TarEntry, TarEntryType } from './tar-entry.ts';
import type { RawHeader } from './tar-header.ts';
import { parseDecimal } from './tar-numbers.ts';

const XATTR_PREFIX = 'SCHILY.xattr.';
const MAX_ID = 0xffff_ffff;

/** Records that stand before a header and change it. */
export interface PendingRecords {
  pax: PaxRecords | undefined;
  /** Of GNU `L` and `K` members; they win over pax. */
  longName: string | undefined;
  longLink: string | undefined;
}

/** Name, link and stored size of a member, which decide how its data are read. */
export interface EntryBasis {
  readonly type: TarEntryType;
  readonly path: string;
  readonly target: string;
  readonly storedBytes: number;
  /** Size from GNU sparse records, where there is one. */
  readonly realSize: number | undefined;
}

/** Applies names and sizes of the pending records. Throws `EvidenceError` for member types that no layer may hold. */
export function buildBasis(header: RawHeader, pending: PendingRecords): EntryBasis {
  const { pax } = pending;
  const paxPath = paxText(pax, 'GNU.sparse.name') ?? paxText(pax, 'path');
  const path = pending.longName ?? paxPath ?? header.name;
  const type = entryType(header.typeFlag, path);
  const realSize = paxText(pax, 'GNU.sparse.size') ?? paxText(pax, 'GNU.sparse.realsize');
  return {
    type,
    path,
    target: pending.longLink ?? paxText(pax, 'linkpath') ?? header.linkName,
    storedBytes: type === 'file' ? paxNumber(pax, 'size', header.size) : 0,
    realSize: realSize === undefined ? undefined : parseDecimal(realSize, 'sparse size'),
  };
}

/** Completes an entry once size and segments are known. */
export function buildEntry(
  header: RawHeader,
  pax: PaxRecords | undefined,
  basis: EntryBasis,
  data: { readonly size: number; readonly offset: number; readonly segments: SparseSegment[] | undefined },
): TarEntry {
  const { type } = basis;
  const isDevice = type === 'char' || type === 'block';
  const isLink = type === 'symlink' || type === 'hardlink';
  if (isLink && basis.target === '') throw malformed('a link without target');
  return {
    path: basis.path,
    type,
    mode: header.mode & 0o7777,
    uid: checkId(paxNumber(pax, 'uid', header.uid)),
    gid: checkId(paxNumber(pax, 'gid', header.gid)),
    size: data.size,
    target: isLink ? basis.target : '',
    rdevMajor: isDevice ? header.devMajor : 0,
    rdevMinor: isDevice ? header.devMinor : 0,
    xattrs: collectXattrs(pax),
    dataOffset: data.offset,
    segments: data.segments,
  };
}

function entryType(flag: string, path: string): TarEntryType {
  switch (flag) {
    case '0':
    case 'S':
      return 'file';
    case '\0':
      return path.endsWith('/') ? 'directory' : 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'char';
    case '4':
      return 'block';
    case '5':
      return 'directory';
    case '6':
      return 'fifo';
    default:
      throw malformed('a member of a type that no layer may hold');
  }
}

/** An empty value takes a record back, so the header's own field counts. */
function paxText(pax: PaxRecords | undefined, key: string): string | undefined {
  const value = pax?.get(key);
  return value === undefined || value.length === 0 ? undefined : value.toString('latin1');
}

function paxNumber(pax: PaxRecords | undefined, key: string, fallback: number): number {
  const text = paxText(pax, key);
  return text === undefined ? fallback : parseDecimal(text, key);
}

function collectXattrs(pax: PaxRecords | undefined): Map<string, Buffer> | undefined {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of pax ?? []) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(XATTR_PREFIX.length), value);
  }
  return xattrs;
}

function checkId(id: number): number {
  if (id > MAX_ID) throw malformed('an owner that the kernel cannot hold');
  return id;
}

function malformed(what: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', `tar: ${what}`);
}
