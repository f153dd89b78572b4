import type { BytePath, Inventory } from '@holdfast/evidence';
import type { WalkedEntry } from '../root-view/root-view.ts';
import { walkView } from '../root-view/walk-view.ts';
import { MIN_BINARY_BYTES, readBinaryPackages } from './binary/read-binary-packages.ts';
import { classifyElf, ELF_HEAD_BYTES } from './elf-kind.ts';
import { openFileBytes } from './file-bytes.ts';
import type { FoundPackage, InventoryBuilder } from './inventory-builder.ts';
import { isJavaArchive, readJavaArchive } from './java/read-java-archive.ts';
import { findManifestReader, type ManifestReader } from './language/find-manifest-reader.ts';
import type { PathOwners } from './path-owners.ts';

/** How many entries go by between two looks at the clock. */
const CLOCK_STRIDE = 256;
const EXECUTE = 0o111;

/**
 * Walks the whole tree once: reads the manifests of language packages, Java archives and what compilers wrote into
 * programs, each with the OS package that owns it, and counts ELF programs and shared objects that nobody owns. Limits are
 * noted.
 */
export function scanTree(builder: InventoryBuilder, owners: PathOwners): Inventory['unowned'] {
  const scan = new TreeScan(builder, owners);
  builder.attempt(() => {
    walkView(builder.view, builder.limits, (path, entry) => scan.visit(path, entry));
  });
  return scan.unowned;
}

class TreeScan {
  readonly unowned = { executables: 0, sharedObjects: 0 };
  readonly #builder: InventoryBuilder;
  readonly #owners: PathOwners;
  #visited = 0;

  constructor(builder: InventoryBuilder, owners: PathOwners) {
    this.#builder = builder;
    this.#owners = owners;
  }

  visit(path: BytePath, entry: WalkedEntry): void {
    this.#visited += 1;
    if (this.#visited % CLOCK_STRIDE === 0) this.#builder.checkTime(path);
    if (entry.problem !== undefined) this.#builder.note(entry.problem, path);
    if (entry.type !== 'file') return;
    const reader = findManifestReader(path);
    if (reader !== undefined) this.#readManifest(path, reader);
    else if (isJavaArchive(path)) this.#readArchive(path, entry.size);
    else if (entry.size >= ELF_HEAD_BYTES) this.#readBinary(path, entry);
  }

  #readManifest(path: BytePath, reader: ManifestReader): void {
    const { view, limits } = this.#builder;
    const bytes = this.#builder.attempt(() => view.readFile(path, limits.maxManifestBytes));
    if (bytes === undefined) return;
    this.#add(path, reader(bytes));
  }

  #readArchive(path: BytePath, size: number): void {
    const file = openFileBytes(this.#builder.view, path, size);
    const found = this.#builder.attempt(() => {
      this.#builder.checkTime(path);
      return readJavaArchive(file, path, this.#builder.limits.maxHeldBytes, (what) => this.#builder.note(what, path));
    });
    this.#add(path, found ?? []);
  }

  /** Shared objects of packages are not opened: their package vouches for them, and there are thousands. */
  #readBinary(path: BytePath, { mode, size }: WalkedEntry): void {
    const isOwned = this.#owners.find(path) !== undefined;
    const isLarge = size >= MIN_BINARY_BYTES;
    if (isOwned && !(isLarge && (mode & EXECUTE) !== 0)) return;
    const head = this.#builder.attempt(() => this.#builder.view.readHead(path, ELF_HEAD_BYTES));
    const kind = head === undefined ? undefined : classifyElf(head, path.slice(path.lastIndexOf('/') + 1), mode);
    if (kind === undefined) return;
    if (!isOwned && kind === 'executable') this.unowned.executables += 1;
    if (!isOwned && kind === 'sharedObject') this.unowned.sharedObjects += 1;
    if (!isLarge) return;
    const file = openFileBytes(this.#builder.view, path, size);
    const onMalformed = () => this.#builder.note('malformed', path);
    this.#add(path, this.#builder.attempt(() => readBinaryPackages(file, onMalformed)) ?? []);
  }

  #add(path: BytePath, packages: readonly FoundPackage[]): void {
    if (packages.length === 0) return;
    const ownedBy = this.#owners.find(path)?.owner.purl;
    for (const found of packages) this.#builder.addPackage(found, path, ownedBy);
  }
}
