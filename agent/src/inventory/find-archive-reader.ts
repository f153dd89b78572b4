import type { FileBytes } from './file-bytes.ts';
import type { FoundPackage } from './inventory-builder.ts';
import { isJavaArchive, JAVA_ARCHIVE_SUFFIXES, readJavaArchive } from './java/read-java-archive.ts';
import type { OnZipLimit } from './java/zip-limit.ts';
import { readZippedEgg } from './language/zipped-egg.ts';

/** Reads the packages that an archive holds, by its content and its path. */
export type ArchiveReader = (
  file: FileBytes,
  path: string,
  maxHeldBytes: number,
  onLimit: OnZipLimit,
) => FoundPackage[];

/** How every name ends that `findArchiveReader` has a reader for, in lower case. */
export const ARCHIVE_SUFFIXES: readonly string[] = [...JAVA_ARCHIVE_SUFFIXES, '.egg'];

/** Says what reads a file by its name alone. Undefined for files that are no archive. */
export function findArchiveReader(name: string): ArchiveReader | undefined {
  if (isJavaArchive(name)) return readJavaArchive;
  return name.endsWith('.egg') ? readZippedEgg : undefined;
}
