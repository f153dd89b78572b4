import { createFileBytes, type FileBytes } from '../file-bytes.ts';
import type { FoundPackage } from '../inventory-builder.ts';
import { guessFromManifest, parsePomProperties } from './java-manifest.ts';
import { readZipEntry } from './read-zip-entry.ts';
import { countHeldBytes, listZipEntries, type ZipEntry } from './zip-directory.ts';
import { attemptZip, type OnZipLimit } from './zip-limit.ts';

/** Ends of the names of Java archives, in lower case. */
export const JAVA_ARCHIVE_SUFFIXES: readonly string[] = 'jar war ear par sar nar jpi hpi rar'
  .split(' ')
  .map((extension) => `.${extension}`);
const ARCHIVE = new RegExp(`(?:${JAVA_ARCHIVE_SUFFIXES.map((suffix) => `\\${suffix}`).join('|')})$`, 'i');
const POM_PROPERTIES = /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/;
const MANIFEST = /^META-INF\/MANIFEST\.MF$/i;
const MAX_MANIFEST_BYTES = 1024 * 1024;
/** All that is unpacked of one archive with those in it. */
const MAX_TOTAL_BYTES = 1024 * 1024 * 1024;
const MAX_DEPTH = 4;
const MAX_ARCHIVES = 5000;

/** Says by its name whether a file is a Java archive. RAR archives of another kind have no end record and are passed over. */
export function isJavaArchive(name: string): boolean {
  return ARCHIVE.test(name);
}

/**
 * Reads the packages of a Java archive and of those in it, four deep: every `pom.properties`, or where an archive has
 * none, what its manifest and its name tell. `onLimit` is told of archives that are malformed (`malformed`) or hold more
 * than is unpacked (`archive`): `maxHeldBytes` at one time. Throws what `file` throws and nothing else.
 */
export function readJavaArchive(
  file: FileBytes,
  name: string,
  maxHeldBytes: number,
  onLimit: OnZipLimit,
): FoundPackage[] {
  return new JavaArchives(maxHeldBytes, onLimit).read(file, name, 0);
}

class JavaArchives {
  /** An archive in an archive, with those in it. */
  readonly #maxHeldBytes: number;
  readonly #onLimit: OnZipLimit;
  #bytesLeft = MAX_TOTAL_BYTES;
  #heldBytes = 0;
  #archivesLeft = MAX_ARCHIVES;

  constructor(maxHeldBytes: number, onLimit: OnZipLimit) {
    this.#maxHeldBytes = maxHeldBytes;
    this.#onLimit = onLimit;
  }

  read(file: FileBytes, name: string, depth: number): FoundPackage[] {
    this.#archivesLeft -= 1;
    const entries = this.#attempt(() => listZipEntries(file, this.#maxHeldBytes - this.#heldBytes));
    if (entries === undefined) return [];
    const own = this.#readOwn(file, entries, name);
    const nested = entries.filter((entry) => isJavaArchive(entry.name));
    return [...own, ...this.#hold(countHeldBytes(nested), () => this.#readAllNested(file, nested, depth + 1))];
  }

  /** Runs a step while so much more is held. */
  #hold<T>(bytes: number, step: () => T): T {
    this.#heldBytes += bytes;
    try {
      return step();
    } finally {
      this.#heldBytes -= bytes;
    }
  }

  #readAllNested(file: FileBytes, nested: readonly ZipEntry[], depth: number): FoundPackage[] {
    return nested.flatMap((entry) => this.#readNested(file, entry, depth));
  }

  #readOwn(file: FileBytes, entries: readonly ZipEntry[], name: string): FoundPackage[] {
    const poms = entries.filter((entry) => POM_PROPERTIES.test(entry.name));
    const found = poms.flatMap((entry) => {
      const bytes = this.#unpack(file, entry, MAX_MANIFEST_BYTES);
      return bytes === undefined ? [] : parsePomProperties(bytes);
    });
    if (found.length > 0) return found;
    const manifest = entries.find((entry) => MANIFEST.test(entry.name));
    const bytes = manifest === undefined ? undefined : this.#unpack(file, manifest, MAX_MANIFEST_BYTES);
    return guessFromManifest(bytes, name.slice(name.lastIndexOf('/') + 1));
  }

  #readNested(file: FileBytes, entry: ZipEntry, depth: number): FoundPackage[] {
    if (depth > MAX_DEPTH || this.#archivesLeft <= 0) {
      this.#onLimit('archive');
      return [];
    }
    const bytes = this.#unpack(file, entry, this.#maxHeldBytes - this.#heldBytes);
    if (bytes === undefined) return [];
    return this.#hold(bytes.length, () => this.read(createFileBytes(bytes), entry.name, depth));
  }

  #unpack(file: FileBytes, entry: ZipEntry, maxBytes: number): Buffer | undefined {
    const bytes = this.#attempt(() => readZipEntry(file, entry, Math.min(maxBytes, this.#bytesLeft)));
    this.#bytesLeft -= bytes?.length ?? 0;
    return bytes;
  }

  #attempt<T>(step: () => T): T | undefined {
    return attemptZip(step, this.#onLimit);
  }
}
