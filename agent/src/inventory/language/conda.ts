import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';
import { asPackageText, parseJsonObject } from './manifest-text.ts';

/** Reads one record of a conda environment (`conda-meta/NAME-VERSION-BUILD.json`). */
export function parseCondaRecord(bytes: Buffer): FoundPackage[] {
  const record = parseJsonObject(bytes);
  const name = asPackageText(record?.['name']);
  const version = asPackageText(record?.['version']);
  if (name === undefined || version === undefined) return [];
  const build = asPackageText(record?.['build']);
  const subdir = asPackageText(record?.['subdir']);
  const purl = formatPurl({ type: 'conda', name, version, qualifiers: { build, subdir } });
  return [{ purl, type: 'conda', name, version }];
}
