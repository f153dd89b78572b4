import { limits } from '../claims/container-shape.ts';
import { array, boolean, object, oneOf, readShape } from '../encoding/shape.ts';
import type { JsonValue } from '../encoding/strict-json.ts';
import type { Inventory } from './inventory.ts';
import { comparePackages, inventoryPackage, MAX_PACKAGES, PACKAGE_MEMBERS } from './parse-inventory.ts';

/** What a comparison of packages needs of an inventory. */
export type PackageRows = Pick<Inventory, 'complete' | 'limits' | 'packages'>;

const packageRows = object<PackageRows & { format: Inventory['format'] }>({
  format: oneOf('holdfast-inventory-v1'),
  complete: boolean,
  limits,
  packages: array(inventoryPackage, { max: MAX_PACKAGES }),
});

/**
 * Reads the packages of an inventory that a person or another program may have edited: in any order, with members that
 * are not known, without those that no comparison needs. What is read keeps its bounds; `complete` is never guessed.
 *
 * Not for evidence, which is what `parseInventory` says and nothing else. Gives the packages sorted by purl and path.
 * Throws `EvidenceError` ERR_EVIDENCE_CLAIMS.
 */
export function readPackageRows(value: JsonValue): PackageRows {
  const known = pick(value, ['format', 'complete', 'limits', 'packages']);
  const found = isObject(known) ? { format: 'holdfast-inventory-v1', limits: [], ...known } : known;
  const { format: _, ...rows } = readShape(packageRows, withKnownPackages(found), 'inventory');
  return { ...rows, packages: rows.packages.toSorted(comparePackages) };
}

function withKnownPackages(value: JsonValue): JsonValue {
  if (!isObject(value) || !Array.isArray(value['packages'])) return value;
  return { ...value, packages: value['packages'].map(pickPackage) };
}

function pickPackage(value: JsonValue): JsonValue {
  const known = pick(value, PACKAGE_MEMBERS);
  if (!isObject(known) || known['source'] === undefined) return known;
  return { ...known, source: pick(known['source'], ['name', 'version']) };
}

/** Only these members of an object, without those that are null; anything else as it is. */
function pick(value: JsonValue, names: readonly string[]): JsonValue {
  if (!isObject(value)) return value;
  const picked: { [name: string]: JsonValue } = {};
  for (const name of names) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    if (member !== undefined && member !== null) picked[name] = member;
  }
  return picked;
}

function isObject(value: JsonValue): value is { [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
