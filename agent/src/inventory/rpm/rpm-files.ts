import { EvidenceError } from '@holdfast/evidence/inventory';
import type { FileDigest, OwnerSink, PathOwner } from '../os-package.ts';
import { malformedDatabase } from './page-budget.ts';
import { RPM_TAG, type RpmHeader } from './rpm-header.ts';

/** PGPHASHALGO numbers (RFC 4880 §9.4) of the digests that can be compared. */
const ALGORITHMS: Readonly<Record<number, FileDigest['algorithm']>> = { 1: 'md5', 2: 'sha1', 8: 'sha256' };
const HEX_CHARS = { md5: 32, sha1: 40, sha256: 64 } as const;

/** Tells the paths of a package. Throws `EvidenceError` where directories and names do not go together. */
export function listRpmFiles(header: RpmHeader): string[] {
  const names = header.texts(RPM_TAG.baseNames);
  const directories = header.texts(RPM_TAG.directoryNames);
  const indexes = header.numbers(RPM_TAG.directoryIndexes);
  if (indexes.length !== names.length) throw malformedDatabase('files without directories');
  return names.map((name, at) => {
    const directory = directories[indexes[at] ?? -1];
    if (directory === undefined) throw malformedDatabase('a file without its directory');
    return `${directory}${name}`;
  });
}

/** A package as owner of its files; digests are decoded when one is asked for. */
export class RpmOwner implements PathOwner {
  readonly purl: string;
  readonly #header: RpmHeader;
  readonly #paths: readonly string[];
  readonly #onMalformed: () => void;
  #digests: ReadonlyMap<string, FileDigest> | undefined;

  /** `onMalformed` is told of digests that cannot be read, for that is seen only when one is asked for. */
  constructor(purl: string, header: RpmHeader, onMalformed: () => void) {
    this.purl = purl;
    this.#header = header;
    this.#onMalformed = onMalformed;
    this.#paths = listRpmFiles(header);
  }

  tell(sink: OwnerSink): void {
    for (const path of this.#paths) if (path.startsWith('/')) sink.own(path, this);
  }

  digestOf(path: string): FileDigest | undefined {
    this.#digests ??= this.#tryDigests();
    return this.#digests.get(path);
  }

  #tryDigests(): Map<string, FileDigest> {
    try {
      return this.#readDigests();
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.#onMalformed();
      return new Map();
    }
  }

  /** Directories, links and ghosts have an empty digest. A list of another length says nothing of anybody. */
  #readDigests(): Map<string, FileDigest> {
    const list = this.#header.texts(RPM_TAG.fileDigests);
    const algorithm = ALGORITHMS[this.#header.numbers(RPM_TAG.fileDigestAlgorithm)[0] ?? 1];
    if (algorithm === undefined || list.length !== this.#paths.length) return new Map();
    const pairs = list.flatMap((hex, at): [string, FileDigest][] => {
      const path = this.#paths[at];
      const isDigest = hex.length === HEX_CHARS[algorithm] && /^[0-9a-f]+$/.test(hex);
      return path === undefined || !isDigest ? [] : [[path, { algorithm, hex }]];
    });
    return new Map(pairs);
  }
}
