import type { FileBytes } from '../file-bytes.ts';
import type { FoundPackage } from '../inventory-builder.ts';
import { readZipEntry } from '../java/read-zip-entry.ts';
import { listZipEntries } from '../java/zip-directory.ts';
import { attemptZip, type OnZipLimit } from '../java/zip-limit.ts';
import { parsePythonMetadata } from './python.ts';

const METADATA = /^EGG-INFO\/PKG-INFO$/i;
const MAX_METADATA_BYTES = 1024 * 1024;

/** Reads the package of an egg that is one zipped file (setuptools, "The Internal Structure of Python Eggs"). */
export function readZippedEgg(
  file: FileBytes,
  _name: string,
  maxHeldBytes: number,
  onLimit: OnZipLimit,
): FoundPackage[] {
  const found = attemptZip(() => {
    const metadata = listZipEntries(file, maxHeldBytes)?.find((entry) => METADATA.test(entry.name));
    return metadata === undefined ? [] : parsePythonMetadata(readZipEntry(file, metadata, MAX_METADATA_BYTES));
  }, onLimit);
  return found ?? [];
}
