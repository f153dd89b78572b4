import type { BytePath, Inventory } from '@holdfast/evidence';
import type { WalkedEntry } from '../root-view/root-view.ts';
import { walkView } from '../root-view/walk-view.ts';
import { classifyElf, ELF_HEAD_BYTES } from './elf-kind.ts';
import type { InventoryBuilder } from './inventory-builder.ts';
import { findManifestReader, type ManifestReader } from './language/find-manifest-reader.ts';
import type { PathOwners } from './path-owners.ts';

/** How many entries go by between two looks at the clock. */
const CLOCK_STRIDE = 256;

/**
 * Walks the whole tree once: reads the manifests of language packages, each with the OS package that owns it, and counts
 * ELF programs and shared objects that nobody owns. Limits are noted.
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
    else if (entry.size >= ELF_HEAD_BYTES && this.#owners.find(path) === undefined)
      this.#countUnowned(path, entry.mode);
  }

  #readManifest(path: BytePath, reader: ManifestReader): void {
    const { view, limits } = this.#builder;
    const bytes = this.#builder.attempt(() => view.readFile(path, limits.maxManifestBytes));
    if (bytes === undefined) return;
    const ownedBy = this.#owners.find(path)?.owner.purl;
    for (const found of reader(bytes)) this.#builder.addPackage(found, path, ownedBy);
  }

  #countUnowned(path: BytePath, mode: number): void {
    const head = this.#builder.attempt(() => this.#builder.view.readHead(path, ELF_HEAD_BYTES));
    if (head === undefined) return;
    const kind = classifyElf(head, path.slice(path.lastIndexOf('/') + 1), mode);
    if (kind === 'executable') this.unowned.executables += 1;
    if (kind === 'sharedObject') this.unowned.sharedObjects += 1;
  }
}
