import { type BytePath, type Inventory, joinBytePath } from '@holdfast/evidence/inventory';
import type {
  FileEnds,
  PendingReads,
  TreeVisitor,
  TreeWalk,
  WalkedEntry,
  WalkProblem,
} from '../root-view/root-view.ts';
import { MIN_BINARY_BYTES, readBinaryPackages } from './binary/read-binary-packages.ts';
import { classifyElf, ELF_HEAD_BYTES, ELF_MAGIC } from './elf-kind.ts';
import { openFileBytes } from './file-bytes.ts';
import { ARCHIVE_SUFFIXES, type ArchiveReader, findArchiveReader } from './find-archive-reader.ts';
import type { FoundPackage, InventoryBuilder } from './inventory-builder.ts';
import { findManifestReader, MANIFEST_SUFFIXES, type ManifestReader } from './language/find-manifest-reader.ts';
import { isOverstructured } from './language/json-structure.ts';
import type { PathOwners } from './path-owners.ts';
import { isQuiet, QUIET_EXTENSIONS } from './quiet-files.ts';

/** How many entries go by between two looks at the clock. */
const CLOCK_STRIDE = 256;
/** Files that are read at once. */
const READ_STRIDE = 256;
/** How many times as many are on their way, so that whoever reads never waits for whoever parses. */
const MANIFEST_STRIDES = 3;
const HEAD_STRIDES = 8;
/** Of programs that may hold packages: what they are, and the table of their segments. */
const PROGRAM_HEAD_BYTES = 4096;
/** Where linkers put the table of sections, and their names before it. */
const PROGRAM_END_BYTES = 4096;
const EXECUTE = 0o111;

/**
 * Takes a walk of the whole tree: reads the manifests of language packages, Java archives and what compilers wrote into
 * programs, each with the OS package that owns it, and counts ELF programs and shared objects that nobody owns. Limits
 * are noted.
 */
export function scanTree(builder: InventoryBuilder, owners: PathOwners, walk: TreeWalk): Inventory['unowned'] {
  const scan = new TreeScan(builder, owners);
  const suffixes = [...MANIFEST_SUFFIXES, ...ARCHIVE_SUFFIXES];
  const programs = { minProgramBytes: MIN_BINARY_BYTES, magic: ELF_MAGIC, minBytes: ELF_HEAD_BYTES };
  builder.attempt(() => walk.tell(scan, { claims: owners.claims, suffixes, quiet: QUIET_EXTENSIONS, ...programs }));
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
class ReadQueue<T extends Candidate, R = Buffer> {
  waiting: T[] = [];
  readonly #begun: { readonly files: readonly T[]; readonly reads: PendingReads<R> | undefined }[] = [];
  readonly #most: number;
  readonly #start: (paths: BytePath[]) => PendingReads<R> | undefined;

  /** `most`: how many strides of files are read, or read and not taken yet, at one time. */
  constructor(most: number, start: (paths: BytePath[]) => PendingReads<R> | undefined) {
    this.#most = most;
    this.#start = start;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.#begun.length === 0;
  }

  /** Begins to read those that wait, and gives those that were begun first where that is enough, or none waits. */
  turn() {
    const files = this.waiting;
    this.waiting = [];
    if (files.length > 0) this.#begun.push({ files, reads: this.#start(files.map(toPath)) });
    const done = files.length === 0 || this.#begun.length > this.#most ? this.#begun.shift() : undefined;
    // Undefined for what is to be read alone.
    return { files: done?.files ?? [], contents: done?.reads?.take() ?? [] };
  }
}

class TreeScan implements TreeVisitor {
  readonly unowned = { executables: 0, sharedObjects: 0 };
  readonly #builder: InventoryBuilder;
  readonly #owners: PathOwners;
  readonly #manifests: ReadQueue<Manifest>;
  readonly #programs: ReadQueue<Candidate>;
  readonly #largePrograms: ReadQueue<Candidate, FileEnds>;
  #visited = 0;

  constructor(builder: InventoryBuilder, owners: PathOwners) {
    this.#builder = builder;
    this.#owners = owners;
    const { view, limits } = builder;
    this.#manifests = new ReadQueue(MANIFEST_STRIDES, (paths) =>
      view.startReads?.(paths, limits.maxManifestBytes, false),
    );
    this.#programs = new ReadQueue(HEAD_STRIDES, (paths) => view.startReads?.(paths, ELF_HEAD_BYTES, true));
    this.#largePrograms = new ReadQueue(HEAD_STRIDES, (paths) =>
      view.startEnds?.(paths, PROGRAM_HEAD_BYTES, PROGRAM_END_BYTES),
    );
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
    if (this.#programs.waiting.length >= READ_STRIDE) this.#readPrograms();
    if (this.#largePrograms.waiting.length >= READ_STRIDE) this.#readLargePrograms();
  }

  unlisted(directory: BytePath, problem: WalkProblem): void {
    this.#builder.note(problem, directory);
  }

  beforeHeads(): void {
    this.finish();
  }

  /** Reads what waits: all is begun before any of it is ended. */
  finish(): void {
    this.#readManifests();
    this.#readLargePrograms();
    this.#readPrograms();
    while (!this.#manifests.isEmpty) this.#readManifests();
    while (!this.#largePrograms.isEmpty) this.#readLargePrograms();
    while (!this.#programs.isEmpty) this.#readPrograms();
  }

  /** Shared objects of packages are not opened: their package vouches for them, and there are thousands. */
  #mayBeProgram(directory: BytePath, name: string, { mode, size }: WalkedEntry): boolean {
    if (this.#owners.find(directory, name) === undefined) return true;
    return size >= MIN_BINARY_BYTES && (mode & EXECUTE) !== 0 && !isQuiet(name);
  }

  /** Begins with those that wait, then ends those that were begun before: reading goes on beside the work. */
  #readManifests(): void {
    const { view, limits } = this.#builder;
    const { files, contents } = this.#manifests.turn();
    for (const [at, manifest] of files.entries()) {
      const path = toPath(manifest);
      const bytes = contents[at] ?? this.#builder.attempt(() => view.readFile(path, limits.maxManifestBytes));
      if (bytes === undefined) continue;
      if (isOverstructured(bytes)) this.#builder.note('jsonValues', path);
      else this.#add(manifest, manifest.reader(bytes));
    }
  }

  #readPrograms(): void {
    const { files, contents } = this.#programs.turn();
    for (const [at, program] of files.entries()) {
      const head = contents[at] ?? this.#readHead(program, ELF_HEAD_BYTES);
      if (head !== undefined) this.#countProgram(program, head);
    }
  }

  #readLargePrograms(): void {
    const { files, contents } = this.#largePrograms.turn();
    for (const [at, program] of files.entries()) {
      const ends = contents[at];
      const head = ends?.head ?? this.#readHead(program, PROGRAM_HEAD_BYTES);
      if (head === undefined || !this.#countProgram(program, head)) continue;
      // A file that grew meanwhile ends somewhere else than the walk saw.
      this.#readPackages(program, head, ends?.size === program.entry.size ? ends.end : undefined);
    }
  }

  #readHead(program: Candidate, bytes: number): Buffer | undefined {
    return this.#builder.attempt(() => this.#builder.view.readHead(toPath(program), bytes));
  }

  /** Whether it is a program or shared object; counted where nobody owns it. */
  #countProgram(program: Candidate, head: Buffer): boolean {
    const kind = classifyElf(head, program.name, program.entry.mode);
    if (kind === undefined) return false;
    const isOwned = this.#owners.find(program.directory, program.name) !== undefined;
    if (!isOwned && kind === 'executable') this.unowned.executables += 1;
    if (!isOwned && kind === 'sharedObject') this.unowned.sharedObjects += 1;
    return true;
  }

  #readPackages(program: Candidate, head: Buffer, end: Buffer | undefined): void {
    const path = toPath(program);
    const file = openFileBytes(this.#builder.view, path, program.entry.size, head, end);
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
