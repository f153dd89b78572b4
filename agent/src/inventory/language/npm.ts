import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';
import { asPackageText, parseJsonObject } from './manifest-text.ts';

/** Reads a `package.json` that names a package and its version; scopes become the purl's namespace. */
export function parseNpmManifest(bytes: Buffer): FoundPackage[] {
  const manifest = parseJsonObject(bytes);
  const name = asPackageText(manifest?.['name']);
  const version = asPackageText(manifest?.['version']);
  if (name === undefined || version === undefined) return [];
  const [scope, bare] = name.startsWith('@') && name.includes('/') ? splitScope(name) : ['', name];
  if (bare === '') return [];
  return [{ purl: formatPurl({ type: 'npm', namespace: [scope], name: bare, version }), type: 'npm', name, version }];
}

function splitScope(name: string): [scope: string, bare: string] {
  const slash = name.indexOf('/');
  return [name.slice(0, slash), name.slice(slash + 1)];
}
