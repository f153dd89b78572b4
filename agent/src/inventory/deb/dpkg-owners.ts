import { type BytePath, joinBytePath, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import type { InventoryBuilder } from '../inventory-builder.ts';
import type { FileDigest, OsPackage, OwnerSink, PathOwner } from '../os-package.ts';

/** A deb with what is needed to find its file lists. */
export interface DebPackage extends OsPackage {
  readonly isMultiArchSame: boolean;
  /** The `Conffiles` field: lines of path and MD5. */
  readonly conffiles: string;
}

const INFO = toBytePath('/var/lib/dpkg/info');
const DIVERSIONS = toBytePath('/var/lib/dpkg/diversions');
const STATUS = '/var/lib/dpkg/status';
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** Where a path of a package really lies, and for whom the diversion does not count. */
interface Diversion {
  readonly to: string;
  readonly by: string;
}

/**
 * Tells which paths each deb owns: `info/NAME[:ARCH].list`, or for status.d, which has no lists, the `.md5sums` beside
 * the control file. Diverted paths are told where they were put.
 */
export function listDpkgOwnedPaths(builder: InventoryBuilder, packages: readonly DebPackage[], sink: OwnerSink): void {
  const info = builder.attempt(() => builder.view.resolve(INFO));
  const names = new Set(info === undefined ? [] : (builder.attempt(() => builder.view.list(info)) ?? []));
  const diversions = readDiversions(builder);
  const owners = packages.map((entry) => new DebOwner(builder, entry, names, diversions));
  const listed = owners.map((owner) => owner.infoPath('list'));
  const lists = builder.readManyFollowed(
    listed.filter((path) => path !== undefined),
    Math.min(MAX_LIST_BYTES, builder.limits.maxDatabaseBytes),
  );
  for (const [from, { to, by }] of diversions) sink.rename(from, to, by);
  for (const [at, owner] of owners.entries()) {
    owner.tell(listed[at] === undefined ? undefined : lists.next().value, sink);
  }
}

class DebOwner implements PathOwner {
  readonly purl: string;
  readonly #builder: InventoryBuilder;
  readonly #entry: DebPackage;
  readonly #infoNames: ReadonlySet<string>;
  readonly #diversions: ReadonlyMap<string, Diversion>;
  #digests: Map<string, FileDigest> | undefined;

  constructor(
    builder: InventoryBuilder,
    entry: DebPackage,
    infoNames: ReadonlySet<string>,
    diversions: ReadonlyMap<string, Diversion>,
  ) {
    this.purl = entry.found.purl;
    this.#builder = builder;
    this.#entry = entry;
    this.#infoNames = infoNames;
    this.#diversions = diversions;
  }

  /** Tells the paths of its list, or without one those that it has digests of. */
  tell(list: Buffer | undefined, sink: OwnerSink): void {
    if (list !== undefined) sink.ownLines(list, this, this.#entry.found.name);
    else for (const path of this.#loadDigests().keys()) sink.own(path, this);
  }

  digestOf(path: string): FileDigest | undefined {
    return this.#loadDigests().get(path);
  }

  #loadDigests(): Map<string, FileDigest> {
    if (this.#digests !== undefined) return this.#digests;
    const digests = new Map<string, FileDigest>();
    for (const [path, hex] of parseConffiles(this.#entry.conffiles)) {
      digests.set(this.#divert(path), { algorithm: 'md5', hex });
    }
    for (const [path, hex] of parseMd5sums(this.#readInfo('md5sums') ?? '')) {
      digests.set(this.#divert(path), { algorithm: 'md5', hex });
    }
    this.#digests = digests;
    return digests;
  }

  #divert(path: string): string {
    if (this.#diversions.size === 0) return path;
    const diversion = this.#diversions.get(path);
    return diversion === undefined || diversion.by === this.#entry.found.name ? path : diversion.to;
  }

  #readInfo(extension: 'list' | 'md5sums'): string | undefined {
    const path = this.infoPath(extension);
    return path && readText(this.#builder, path);
  }

  /** Packages that can be installed for several architectures carry theirs in the file's name. */
  infoPath(extension: 'list' | 'md5sums'): BytePath | undefined {
    const { found, database, isMultiArchSame } = this.#entry;
    if (database !== STATUS) return latin1ToBytePath(`${database}.${extension}`);
    const qualified = `${found.name}:${found.arch}.${extension}`;
    const plain = `${found.name}.${extension}`;
    const candidates = isMultiArchSame ? [qualified, plain] : [plain, qualified];
    const name = candidates.find((candidate) => this.#infoNames.has(candidate));
    return name === undefined ? undefined : joinBytePath(INFO, name);
  }
}

/** Lines of `MD5  PATH` with the path relative to the root. */
function* parseMd5sums(text: string): Generator<[path: string, hex: string]> {
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{32}) [ *](?:\.?\/)?(.+?)\r?$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) yield [`/${match[2]}`, match[1]];
  }
}

/** Lines of `/PATH MD5 [obsolete|remove-on-upgrade]`. */
function* parseConffiles(field: string): Generator<[path: string, hex: string]> {
  for (const line of field.split('\n')) {
    const words = line.split(' ');
    const at = findDigest(words);
    const [path, hex = ''] = [words.slice(0, at).join(' '), words[at]];
    if (at > 0 && path.startsWith('/') && path.length > 1) yield [path, hex];
  }
}

/** The first digest with nothing but marks behind it, looked for from the end; -1 where there is none. */
function findDigest(words: readonly string[]): number {
  let found = -1;
  for (let at = words.length - 1; at > 0; at -= 1) {
    const word = words[at] ?? '';
    if (/^[0-9a-f]{32}$/.test(word)) found = at;
    if (!/^[a-z-]+$/.test(word)) return found;
  }
  return found;
}

/** Three lines each: path, where it was diverted to, and the package that did it (`:` for the administrator). */
function readDiversions(builder: InventoryBuilder): Map<string, Diversion> {
  const diversions = new Map<string, Diversion>();
  const lines = readText(builder, DIVERSIONS)?.split('\n') ?? [];
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [from = '', to = '', by = ''] = lines.slice(at, at + 3);
    if (from.startsWith('/') && to.startsWith('/')) diversions.set(from, { to, by });
  }
  return diversions;
}

function readText(builder: InventoryBuilder, path: BytePath): string | undefined {
  const maxBytes = Math.min(MAX_LIST_BYTES, builder.limits.maxDatabaseBytes);
  return builder.readFollowed(path, maxBytes)?.toString('latin1');
}
