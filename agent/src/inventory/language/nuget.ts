import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';
import { asObject, asPackageText, parseJsonObject } from './manifest-text.ts';

/** Reads the libraries of type `package` in a .NET `*.deps.json`, whose keys are `NAME/VERSION`. */
export function parseNugetDeps(bytes: Buffer): FoundPackage[] {
  const libraries = asObject(parseJsonObject(bytes)?.['libraries']) ?? {};
  return Object.entries(libraries).flatMap(([key, value]): FoundPackage[] => {
    const slash = key.lastIndexOf('/');
    const name = asPackageText(key.slice(0, Math.max(slash, 0)));
    const version = asPackageText(key.slice(slash + 1));
    if (asObject(value)?.['type'] !== 'package' || name === undefined || version === undefined) return [];
    return [{ purl: formatPurl({ type: 'nuget', name, version }), type: 'nuget', name, version }];
  });
}
