import type { BytePath } from '../byte-path.ts';
import { limits } from '../claims/container-shape.ts';
import {
  array,
  boolean,
  hex,
  integer,
  object,
  oneOf,
  optional,
  readShape,
  record,
  refine,
  string,
  text,
} from '../encoding/shape.ts';
import { encodeSortedJson } from '../encoding/sorted-json.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { parseBytePath } from '../path-text.ts';
import type { Drift, DriftAttributes, DriftEntry } from './drift.ts';

const MAX_ENTRIES = 50_000;
const MAX_TEXT = 64 * 1024;
const JSON_LIMITS = { maxBytes: 32 * 1024 * 1024, maxDepth: 7, maxKeys: 2_000_000 };

const attributes = object<DriftAttributes>({
  mode: string({ min: 1, max: 4, pattern: /^[0-7]+$/ }),
  uid: integer({ max: 0xffffffff }),
  gid: integer({ max: 0xffffffff }),
  size: integer(),
  sha256: optional(hex(32)),
  target: optional(text(MAX_TEXT)),
  capability: optional(string({ max: 256, pattern: /^[0-9a-f]*$/ })),
  xattrs: optional(hex(32)),
  rdev: optional(string({ max: 21, pattern: /^[0-9]{1,10}:[0-9]{1,10}$/ })),
});

const entry = refine(
  object<DriftEntry>({
    path: string({ min: 1, max: MAX_TEXT, pattern: /^\// }),
    kind: oneOf('added', 'modified', 'removed', 'attributes', 'opaque'),
    entryType: oneOf('file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket', 'none'),
    reasons: array(string({ min: 1, max: 64, pattern: /^[A-Za-z][A-Za-z0-9]*$/ }), { max: 32 }),
    after: optional(attributes),
    before: optional(attributes),
    ownedBy: optional(string({ min: 5, max: 4096, pattern: /^pkg:[\x21-\x7e]+$/ })),
  }),
  findEntryFault,
);

const byDirectory = record(/^[\s\S]{1,65536}$/, object({ entries: integer(), bytes: integer() }), { max: 10_000 });

const drift = object<Drift>({
  format: oneOf('holdfast-drift-v1'),
  rules: text(64),
  complete: boolean,
  limits,
  relevant: refine(array(entry, { max: MAX_ENTRIES }), (list) =>
    isSorted(list.map(({ path }) => parseBytePath(path))) ? undefined : 'not sorted by distinct path',
  ),
  other: object<Drift['other']>({ entries: integer(), bytes: integer(), byDirectory, digest: hex(32) }),
});

/**
 * Parses a drift document: size, strict JSON, format, every field and its bounds, canonical paths in the order of their
 * bytes, each once.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_MALFORMED, ERR_EVIDENCE_ENCODING or ERR_EVIDENCE_CLAIMS.
 */
export function parseDrift(bytes: Uint8Array): Drift {
  return readShape(drift, parseStrictJson(bytes, JSON_LIMITS), 'drift');
}

/**
 * The bytes of a drift document, entries sorted by path, members sorted, no whitespace: one digest for equal documents.
 *
 * Throws `EvidenceError` where `parseDrift` would: names come from a foreign tree.
 */
export function encodeDrift(value: Drift): Buffer {
  const keyed = value.relevant.map((item) => ({ item, path: parseBytePath(item.path) }));
  const sorted = keyed.sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ item }) => item);
  const bytes = encodeSortedJson({ ...value, relevant: sorted });
  parseDrift(bytes);
  return bytes;
}

function findEntryFault({ kind, after, before }: DriftEntry): string | undefined {
  if (kind === 'removed' && after !== undefined) return 'a removed entry has attributes now';
  if (kind === 'added' && before !== undefined) return 'an added entry had attributes before';
  return undefined;
}

function isSorted(paths: readonly BytePath[]): boolean {
  return paths.every((path, index) => index === 0 || (paths[index - 1] ?? '') < path);
}
