import { type BytePath, type Inventory, joinBytePath } from '@holdfast/evidence/inventory';
import type {
  PendingReads,
  RootView,
  TreeVisitor,
  TreeWalk,
  WalkedEntry,
  WalkProblem,
} from '../root-view/root-view.ts';
import { MIN_BINARY_BYTES, readBinaryPackages } from './binary/read-binary-packages.ts';
import { classifyElf, ELF_HEAD_BYTES } from './elf-kind.ts';
import { openFileBytes } from './file-bytes.ts';
import { ARCHIVE_SUFFIXES, type ArchiveReader, findArchiveReader } from './find-archive-reader.ts';
import type { FoundPackage, InventoryBuilder } from './inventory-builder.ts';
import { findManifestReader, MANIFEST_SUFFIXES, type ManifestReader } from './language/find-manifest-reader.ts';
import { isOverstructured } from './language/json-structure.ts';
import type { PathOwners } from './path-owners.ts';

/** How many entries go by between two looks at the clock. */
const CLOCK_STRIDE = 256;
/** Files that are read at once. */
const READ_STRIDE = 256;
/** How many times as many are on their way, so that whoever reads never waits for whoever parses. */
const MANIFEST_STRIDES = 3;
const HEAD_STRIDES = 8;
/** Of programs that may hold packages: what they are, and the table of their segments. */
const PROGRAM_HEAD_BYTES = 4096;
const EXECUTE = 0o111;

/**
 * Takes a walk of the whole tree: reads the manifests of language packages, Java archives and what compilers wrote into
 * programs, each with the OS package that owns it, and counts ELF programs and shared objects that nobody owns. Limits
 * are noted.
 */
export function scanTree(builder: InventoryBuilder, owners: PathOwners, walk: TreeWalk): Inventory['unowned'] {
  const scan = new TreeScan(builder, owners);
  const suffixes = [...MANIFEST_SUFFIXES, ...ARCHIVE_SUFFIXES];
  builder.attempt(() => walk.tell(scan, { claims: owners.claims, suffixes, minProgramBytes: MIN_BINARY_BYTES }));
  scan.finish();
  return scan.unowned;
}

/** A file that is to be looked into. */
interface Candidate {
  readonly directory: BytePath;
  readonly name: string;
  readonly entry: WalkedEntry;
}

interface Manifest extends Candidate {
  readonly reader: ManifestReader;
}

/** Files of which some wait and some are being read. */
class ReadQueue<T extends Candidate> {
  waiting: T[] = [];
  readonly #begun: { readonly files: readonly T[]; readonly reads: PendingReads | undefined }[] = [];
  readonly #most: number;

  /** `most`: how many strides of files are read, or read and not taken yet, at one time. */
  constructor(most: number) {
    this.#most = most;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.#begun.length === 0;
  }

  /** Begins to read those that wait, and gives those that were begun first where that is enough, or none waits. */
  turn(view: RootView, maxBytes: number, heads: boolean) {
    const files = this.waiting;
    this.waiting = [];
    if (files.length > 0) this.#begun.push({ files, reads: view.startReads?.(files.map(toPath), maxBytes, heads) });
    const done = files.length === 0 || this.#begun.length > this.#most ? this.#begun.shift() : undefined;
    // Undefined for what is to be read alone.
    return { files: done?.files ?? [], contents: done?.reads?.take() ?? [] };
  }
}

class TreeScan implements TreeVisitor {
  readonly unowned = { executables: 0, sharedObjects: 0 };
  readonly #builder: InventoryBuilder;
  readonly #owners: PathOwners;
  readonly #manifests = new ReadQueue<Manifest>(MANIFEST_STRIDES);
  readonly #programs = new ReadQueue<Candidate>(HEAD_STRIDES);
  readonly #largePrograms = new ReadQueue<Candidate>(HEAD_STRIDES);
  #visited = 0;

  constructor(builder: InventoryBuilder, owners: PathOwners) {
    this.#builder = builder;
    this.#owners = owners;
  }

  entry(directory: BytePath, name: string, entry: WalkedEntry): void {
    this.#visited += 1;
    if (this.#visited % CLOCK_STRIDE === 0) this.#builder.checkTime(directory);
    if (entry.problem !== undefined) this.#builder.note(entry.problem, joinBytePath(directory, name));
    if (entry.type !== 'file') return;
    const reader = findManifestReader(directory, name);
    const archive = reader === undefined ? findArchiveReader(name) : undefined;
    if (reader !== undefined) this.#manifests.waiting.push({ directory, name, entry, reader });
    else if (archive !== undefined) this.#readArchive({ directory, name, entry }, archive);
    else if (entry.size >= ELF_HEAD_BYTES && this.#mayBeProgram(directory, name, entry)) {
      const queue = entry.size < MIN_BINARY_BYTES ? this.#programs : this.#largePrograms;
      queue.waiting.push({ directory, name, entry });
    }
    if (this.#manifests.waiting.length >= READ_STRIDE) this.#readManifests();
    if (this.#programs.waiting.length >= READ_STRIDE) this.#readPrograms(this.#programs, ELF_HEAD_BYTES);
    if (this.#largePrograms.waiting.length >= READ_STRIDE) this.#readPrograms(this.#largePrograms, PROGRAM_HEAD_BYTES);
  }

  unlisted(directory: BytePath, problem: WalkProblem): void {
    this.#builder.note(problem, directory);
  }

  /** Reads what waits: all is begun before any of it is ended. */
  finish(): void {
    this.#readManifests();
    this.#readPrograms(this.#largePrograms, PROGRAM_HEAD_BYTES);
    this.#readPrograms(this.#programs, ELF_HEAD_BYTES);
    while (!this.#manifests.isEmpty) this.#readManifests();
    while (!this.#largePrograms.isEmpty) this.#readPrograms(this.#largePrograms, PROGRAM_HEAD_BYTES);
    while (!this.#programs.isEmpty) this.#readPrograms(this.#programs, ELF_HEAD_BYTES);
  }

  /** Shared objects of packages are not opened: their package vouches for them, and there are thousands. */
  #mayBeProgram(directory: BytePath, name: string, { mode, size }: WalkedEntry): boolean {
    const isLargeProgram = size >= MIN_BINARY_BYTES && (mode & EXECUTE) !== 0;
    return isLargeProgram || this.#owners.find(directory, name) === undefined;
  }

  /** Begins with those that wait, then ends those that were begun before: reading goes on beside the work. */
  #readManifests(): void {
    const { view, limits } = this.#builder;
    const { files, contents } = this.#manifests.turn(view, limits.maxManifestBytes, false);
    for (const [at, manifest] of files.entries()) {
      const path = toPath(manifest);
      const bytes = contents[at] ?? this.#builder.attempt(() => view.readFile(path, limits.maxManifestBytes));
      if (bytes === undefined) continue;
      if (isOverstructured(bytes)) this.#builder.note('jsonValues', path);
      else this.#add(manifest, manifest.reader(bytes));
    }
  }

  #readPrograms(queue: ReadQueue<Candidate>, headBytes: number): void {
    const { view } = this.#builder;
    const { files, contents } = queue.turn(view, headBytes, true);
    for (const [at, program] of files.entries()) {
      const path = toPath(program);
      const head = contents[at] ?? this.#builder.attempt(() => view.readHead(path, headBytes));
      if (head !== undefined) this.#readProgram(program, path, head);
    }
  }

  #readProgram(program: Candidate, path: BytePath, head: Buffer): void {
    const { mode, size } = program.entry;
    const kind = classifyElf(head, program.name, mode);
    if (kind === undefined) return;
    const isOwned = this.#owners.find(program.directory, program.name) !== undefined;
    if (!isOwned && kind === 'executable') this.unowned.executables += 1;
    if (!isOwned && kind === 'sharedObject') this.unowned.sharedObjects += 1;
    if (size < MIN_BINARY_BYTES) return;
    const file = openFileBytes(this.#builder.view, path, size, head);
    const onMalformed = () => this.#builder.note('malformed', path);
    this.#add(program, this.#builder.attempt(() => readBinaryPackages(file, onMalformed)) ?? []);
  }

  #readArchive(archive: Candidate, read: ArchiveReader): void {
    const path = toPath(archive);
    const file = openFileBytes(this.#builder.view, path, archive.entry.size);
    const found = this.#builder.attempt(() => {
      this.#builder.checkTime(path);
      return read(file, path, this.#builder.limits.maxHeldBytes, (what) => this.#builder.note(what, path));
    });
    this.#add(archive, found ?? []);
  }

  #add(file: Candidate, packages: readonly FoundPackage[]): void {
    if (packages.length === 0) return;
    const ownedBy = this.#owners.find(file.directory, file.name)?.purl;
    const path = toPath(file);
    for (const found of packages) this.#builder.addPackage(found, path, ownedBy);
  }
}

function toPath({ directory, name }: Candidate): BytePath {
  return joinBytePath(directory, name);
}
