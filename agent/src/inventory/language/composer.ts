import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';
import { asObject, asPackageText, parseJson } from './manifest-text.ts';

/** Reads Composer's `vendor/composer/installed.json`: a list, or since Composer 2 an object with `packages`. */
export function parseComposerInstalled(bytes: Buffer): FoundPackage[] {
  const document = parseJson(bytes);
  const list = Array.isArray(document) ? document : asObject(document)?.['packages'];
  if (!Array.isArray(list)) return [];
  return list.flatMap((item): FoundPackage[] => {
    const entry = asObject(item);
    const name = asPackageText(entry?.['name']);
    const version = asPackageText(entry?.['version']);
    if (name === undefined || version === undefined) return [];
    const parts = name.toLowerCase().split('/');
    const bare = parts.pop() ?? '';
    if (bare === '') return [];
    return [
      {
        purl: formatPurl({ type: 'composer', namespace: parts, name: bare, version }),
        type: 'composer',
        name,
        version,
      },
    ];
  });
}
