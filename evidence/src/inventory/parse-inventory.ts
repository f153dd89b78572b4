import { limits } from '../claims/container-shape.ts';
import {
  array,
  boolean,
  hex,
  integer,
  object,
  ociDigest,
  oneOf,
  optional,
  readShape,
  refine,
  type Shape,
  string,
  text,
} from '../encoding/shape.ts';
import { encodeSortedJson } from '../encoding/sorted-json.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import type { Inventory, InventoryPackage } from './inventory.ts';

/** Most packages of one inventory. */
export const MAX_PACKAGES = 200_000;
const JSON_LIMITS = { maxBytes: 48 * 1024 * 1024, maxDepth: 6, maxKeys: 4_000_000 };

const type = string({ min: 1, max: 32, pattern: /^[a-z0-9.+-]+$/ });
const purl = string({ min: 5, max: 4096, pattern: /^pkg:[\x21-\x7e]+$/ });
const path = string({ min: 1, max: 64 * 1024, pattern: /^\// });

/** Every member of a package. */
export const PACKAGE_MEMBERS = [
  'purl',
  'type',
  'name',
  'version',
  'arch',
  'path',
  'layer',
  'ownedBy',
  'source',
] as const satisfies readonly (keyof InventoryPackage)[];

/** The form of a package. */
export const inventoryPackage: Shape<InventoryPackage> = object<InventoryPackage>({
  purl,
  type,
  name: string({ min: 1, max: 1024 }),
  version: text(1024),
  arch: optional(text(64)),
  path,
  layer: optional(ociDigest),
  ownedBy: optional(purl),
  source: optional(object({ name: text(1024), version: text(1024) })),
});

const inventory = object<Inventory>({
  format: oneOf('holdfast-inventory-v1'),
  databases: array(object<Inventory['databases'][number]>({ type, path, sha256: hex(32) }), { max: 10_000 }),
  complete: boolean,
  limits,
  packages: refine(array(inventoryPackage, { max: MAX_PACKAGES }), (list) =>
    list.every((next, index) => index === 0 || comparePackages(list[index - 1] ?? next, next) <= 0)
      ? undefined
      : 'not sorted by purl and path',
  ),
  unowned: object({ executables: integer(), sharedObjects: integer() }),
});

/**
 * Parses an inventory: size, strict JSON, format, every field and its bounds, order of the packages.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_LIMIT, ERR_EVIDENCE_MALFORMED or ERR_EVIDENCE_CLAIMS.
 */
export function parseInventory(bytes: Uint8Array): Inventory {
  return readShape(inventory, parseStrictJson(bytes, JSON_LIMITS), 'inventory');
}

/**
 * The bytes of an inventory, packages sorted, members sorted, no whitespace: one digest for equal inventories.
 *
 * Throws `EvidenceError` where `parseInventory` would: names come from foreign databases.
 */
export function encodeInventory(value: Inventory): Buffer {
  const bytes = encodeSortedJson({ ...value, packages: value.packages.toSorted(comparePackages) });
  parseInventory(bytes);
  return bytes;
}

/** The order of packages in an inventory: purl, then path. */
export function comparePackages(a: InventoryPackage, b: InventoryPackage): number {
  return compareText(a.purl, b.purl) || compareText(a.path, b.path);
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
