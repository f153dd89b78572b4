import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';
import { asPackageText } from './manifest-text.ts';

/**
 * Reads `Name` and `Version` of core metadata (METADATA, PKG-INFO): header lines up to the first empty one. The purl has
 * the normalised name of PEP 503; `name` stays as written.
 */
export function parsePythonMetadata(bytes: Buffer): FoundPackage[] {
  let name: string | undefined;
  let version: string | undefined;
  for (const line of bytes.toString('utf8').split(/\r?\n/)) {
    if (line === '') break;
    const match = /^(name|version)\s*:(.*)$/is.exec(line);
    if (match?.[1]?.toLowerCase() === 'name') name ??= asPackageText(match[2]?.trim());
    else if (match !== null) version ??= asPackageText(match[2]?.trim());
  }
  if (name === undefined || version === undefined) return [];
  const normal = name.toLowerCase().replaceAll(/[-_.]+/g, '-');
  return [{ purl: formatPurl({ type: 'pypi', name: normal, version }), type: 'pypi', name, version }];
}
