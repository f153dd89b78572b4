import { createHash, hash } from 'node:crypto';
import { type BytePath, type Drift, type DriftEntry, encodeDrift } from '@holdfast/evidence/documents';
import { RootfsError } from '@holdfast/rootfs';
import { ViewLimitError } from '../root-view/root-view.ts';
import { DRIFT_RULES } from './classify-entry.ts';
import { findDataPlace } from './classify-name.ts';
import { type CompareContext, compareEntry, createRemoved, type EntryOutcome, formatLimit } from './compare-entry.ts';
import type { DriftReason } from './drift-reason.ts';
import { findAgain, type ObjectId, type SeenAt } from './find-again.ts';
import { listBelow } from './list-below.ts';
import type { UpperEntry } from './upper-source.ts';

/** Names the package that owns a path by the image's own database. */
export interface DriftOwners {
  ownerOf(path: BytePath): { readonly purl: string } | undefined;
}

export interface DriftRequest extends CompareContext {
  /** Called only when something relevant was found: reading the databases takes time. */
  readonly owners: () => DriftOwners;
  /** `performance.now()` value after which the walk ends with the limit `time`. */
  readonly deadlineMs: number;
  /** What the last scan of the same container found; kept by the caller, changed by this call. */
  readonly memory: DriftMemory;
}

/** Outcomes by path, valid as long as the signature of the entry stays. */
export interface DriftMemory {
  outcomes: Map<BytePath, { readonly signature: string; readonly outcome: EntryOutcome }>;
  /** What the image has at paths that no longer show. */
  removed: Map<BytePath, DriftEntry>;
  /** purl of the owner by path, undefined where the image's database names none. */
  owners: Map<BytePath, string | undefined>;
  /** What came of exactly these entries, none of which had to be compared anew. */
  last: { readonly entries: string; readonly outcome: DriftOutcome; readonly parts: DriftParts } | undefined;
}

/** What a drift document is made of. */
export interface DriftParts {
  /** By path, without owners. */
  readonly relevant: ReadonlyMap<BytePath, DriftEntry>;
  readonly other: Drift['other'];
  readonly limits: readonly string[];
  /** No directory of the image is hidden as a whole: what an entry means depends on that entry alone. */
  readonly isPlain: boolean;
}

type RelevantOutcome = Extract<EntryOutcome, { kind: 'relevant' }>;

export interface DriftOutcome {
  readonly document: Buffer;
  /** Of the document, hex. */
  readonly sha256: string;
  readonly counts: { readonly relevant: number; readonly other: number };
  /** SHA-256 over the relevant part and the limits: what makes a new round. */
  readonly relevantDigest: string;
  /** SHA-256 over what an inventory of the merged view depends on; null where it is that of the image. */
  readonly inventoryDigest: string | null;
  readonly limits: readonly string[];
}

/** Entries that a drift document lists, and bytes of their paths and link targets. */
export const MAX_RELEVANT = { entries: 20_000, bytes: 4 * 1024 ** 2 };
const TOO_MANY = 'relevantEntries';
const TOO_LONG = 'relevantBytes';
const MAX_LIMITS = 100;
/** Looks for entries that were not found where the walk told of them. */
const MAX_LOOKS = 4;
const NS_PER_MS = 1_000_000n;
/** Longer than clocks of file systems stand still: some ticks of the kernel, or a second where they count no less. */
const TICKS_NS = 100n * NS_PER_MS;
const SECOND_NS = 1_000n * NS_PER_MS;
/** Above this an upper directory is compared anew each time rather than held in memory. */
export const MAX_REMEMBERED = 100_000;

/**
 * Walks an upper directory and makes the drift document: every entry compared with the image, content of the image that
 * no longer shows listed file by file, the rest counted. An entry whose inode, ctime, size, mode and owner are those of
 * the last scan is not opened again. One that is told and then not found is looked for at the end; what is there and is
 * never found over all tries is a limit, and nothing of it is remembered.
 *
 * A limit that is hit stands in the document, which is then not `complete`. Throws `RootfsError` where the directory
 * cannot be read at all.
 */
export function collectDrift(request: DriftRequest): DriftOutcome {
  const builder = new DriftBuilder(request);
  try {
    request.source.walk((entry) => builder.add(entry));
    builder.lookAgain();
  } catch (error) {
    builder.addLimit(toWalkLimit(error));
  }
  return builder.finish();
}

/** By the system call that a limit of the walk names. */
const WALK_LIMITS = new Map([
  ['clock_gettime', 'time'],
  ['walk', 'depth'],
]);

function toWalkLimit(error: unknown): string {
  if (error instanceof ViewLimitError) return error.limit;
  if (!(error instanceof RootfsError)) throw error;
  if (error.code === 'ERR_ROOTFS_LIMIT') return WALK_LIMITS.get(error.syscall ?? '') ?? 'entries';
  if (error.code === 'ERR_ROOTFS_CHANGED') return 'changedWhileRead';
  throw error;
}

class DriftBuilder {
  readonly #request: DriftRequest;
  readonly #remembered: DriftMemory['outcomes'] = new Map();
  readonly #removed: DriftMemory['removed'] = new Map();
  readonly #relevant = new Map<BytePath, DriftEntry>();
  readonly #hiding = new Map<BytePath, RelevantOutcome>();
  readonly #seen = new Set<BytePath>();
  readonly #directories = new Map<BytePath, ObjectId>();
  #vanished: SeenAt[] = [];
  readonly #limits = new Set<string>();
  readonly #byDirectory: Record<string, { entries: number; bytes: number }> = {};
  readonly #list = createHash('sha256');
  readonly #walked = createHash('sha256');
  #isKnown = true;
  #relevantBytes = 0;
  #others = 0;
  #otherBytes = 0;

  constructor(request: DriftRequest) {
    this.#request = request;
  }

  add(entry: UpperEntry): void {
    if (performance.now() > this.#request.deadlineMs) throw new ViewLimitError('time', entry.path);
    const signature = formatSignature(entry);
    const known = this.#request.memory.outcomes.get(entry.path);
    const isSame = known?.signature === signature;
    const remembered = isSame ? signature : formatRemembered(entry, signature, Date.now());
    const outcome = isSame ? known.outcome : compareEntry(entry, this.#request);
    if (outcome !== known?.outcome) this.#isKnown = false;
    if (outcome.kind === 'vanished') {
      this.#vanished.push({ path: entry.path, id: entry.stat });
      return;
    }
    this.#walked.update(`${entry.path}\0${signature}\n`, 'latin1');
    const isFinal = outcome.kind !== 'relevant' || outcome.limit === undefined;
    if (isFinal && this.#remembered.size < MAX_REMEMBERED) {
      this.#remembered.set(entry.path, isSame ? known : { signature: remembered, outcome });
    }
    if (entry.stat.type === 'directory') this.#directories.set(entry.path, entry.stat);
    const isNew = !this.#seen.has(entry.path);
    this.#seen.add(entry.path);
    if (outcome.kind === 'other' && isNew) this.#addOther(entry, outcome.bytes, signature);
    if (outcome.kind === 'relevant') this.#addRelevant(entry.path, outcome);
  }

  /** Compares what was not found where it was told, wherever it is by now. */
  lookAgain(): void {
    const { source } = this.#request;
    for (let looks = 0; looks < MAX_LOOKS && this.#vanished.length > 0; looks += 1) {
      const { found, missing } = findAgain(this.#vanished, this.#directories, source);
      this.#vanished = [...missing];
      for (const entry of found) this.#addTree(entry);
    }
    for (const { path } of this.#vanished) this.addLimit(formatLimit('changedWhileRead', path));
  }

  #addTree(entry: UpperEntry): void {
    this.add(entry);
    if (entry.stat.type !== 'directory') return;
    try {
      this.#request.source.walkBelow(entry.path, (below) => this.add(below));
    } catch (error) {
      if (!(error instanceof RootfsError) || error.code !== 'ERR_ROOTFS_NOT_FOUND') throw error;
      this.#vanished.push({ path: entry.path, id: entry.stat });
    }
  }

  addLimit(limit: string): void {
    if (this.#limits.size < MAX_LIMITS) this.#limits.add(limit);
  }

  finish(): DriftOutcome {
    const { memory } = this.#request;
    const entries = this.#walked.update([...this.#limits].join('\n')).digest('hex');
    if (this.#isKnown && memory.last?.entries === entries) return memory.last.outcome;
    const parts = this.#build();
    const outcome = assembleDrift(parts, this.#request);
    memory.last = { entries, outcome, parts };
    return outcome;
  }

  #build(): DriftParts {
    for (const [path, outcome] of this.#hiding) {
      if (!this.#addHidden(path) && outcome.ifNothingHidden !== undefined) this.#replace(path, outcome.ifNothingHidden);
    }
    this.#request.memory.outcomes = this.#remembered;
    this.#request.memory.removed = this.#removed;
    const limits = [...this.#limits].sort();
    const other = {
      entries: this.#others,
      bytes: this.#otherBytes,
      byDirectory: this.#byDirectory,
      digest: this.#list.digest('hex'),
    };
    return { relevant: this.#relevant, other, limits, isPlain: this.#hiding.size === 0 };
  }

  #addOther(entry: UpperEntry, bytes: number, signature: string): void {
    const place = findDataPlace(entry.path) ?? '/';
    const counted = this.#byDirectory[place] ?? { entries: 0, bytes: 0 };
    this.#byDirectory[place] = { entries: counted.entries + 1, bytes: counted.bytes + bytes };
    this.#others += 1;
    this.#otherBytes += bytes;
    this.#list.update(`${entry.path}\0${signature}\n`, 'latin1');
  }

  #addRelevant(path: BytePath, outcome: RelevantOutcome): void {
    if (outcome.limit !== undefined) this.addLimit(outcome.limit);
    if (outcome.hidesImage) this.#hiding.set(path, outcome);
    this.#put(path, outcome.entry);
  }

  #replace(path: BytePath, outcome: EntryOutcome): void {
    if (outcome.kind === 'relevant') this.#relevant.set(path, outcome.entry);
    else this.#relevant.delete(path);
  }

  #put(path: BytePath, entry: DriftEntry): void {
    const bytes = this.#relevantBytes + measureRelevant(entry);
    if (this.#relevant.size >= MAX_RELEVANT.entries) this.addLimit(TOO_MANY);
    else if (bytes > MAX_RELEVANT.bytes) this.addLimit(TOO_LONG);
    else {
      this.#relevant.set(path, entry);
      this.#relevantBytes = bytes;
    }
  }

  /**
   * Everything of the image below a directory that it no longer shows and the upper directory does not hold itself.
   * Returns whether there is any, or it could not be found out.
   */
  #addHidden(directory: BytePath): boolean {
    const { image, memory, deadlineMs } = this.#request;
    let isHiding = false;
    try {
      for (const [path, before] of listBelow(image, directory)) {
        if (performance.now() > deadlineMs) throw new ViewLimitError('time', path);
        if (this.#limits.has(TOO_MANY) || this.#limits.has(TOO_LONG)) return true;
        if (this.#seen.has(path)) continue;
        isHiding = true;
        const entry = memory.removed.get(path) ?? createRemoved(path, before, image);
        this.#removed.set(path, entry);
        this.#put(path, entry);
      }
    } catch (error) {
      if (!(error instanceof ViewLimitError)) throw error;
      this.addLimit(formatLimit(error.limit, directory));
      return true;
    }
    return isHiding;
  }
}

/** Bytes of an entry that a container chooses freely. */
export function measureRelevant({ path, after, before }: DriftEntry): number {
  return [path, after?.target, before?.target].reduce((sum, text = '') => sum + Buffer.byteLength(text), 0);
}

/** Makes the document of its parts. */
export function assembleDrift(parts: DriftParts, request: Pick<DriftRequest, 'memory' | 'owners'>): DriftOutcome {
  const { limits, other } = parts;
  const relevant = nameOwners(parts.relevant, request);
  const complete = limits.length === 0;
  const drift: Drift = {
    format: 'holdfast-drift-v1',
    rules: DRIFT_RULES,
    complete,
    limits: [...limits],
    relevant,
    other,
  };
  const document = encodeDrift(drift);
  return {
    document,
    sha256: hash('sha256', document),
    counts: { relevant: relevant.length, other: other.entries },
    relevantDigest: hash('sha256', JSON.stringify([limits, relevant])),
    inventoryDigest: digestForInventory(relevant, limits),
    limits,
  };
}

function nameOwners(
  relevant: DriftParts['relevant'],
  { memory, owners }: Pick<DriftRequest, 'memory' | 'owners'>,
): DriftEntry[] {
  const known = memory.owners;
  memory.owners = new Map();
  return [...relevant]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, entry]) => {
      const owner = known.has(path) ? known.get(path) : owners().ownerOf(path)?.purl;
      memory.owners.set(path, owner);
      return owner === undefined ? entry : { ...entry, ownedBy: owner };
    });
}

/** Reasons of a new file that come of its place alone: an inventory does not read it. */
const PLACE_REASONS: ReadonlySet<string> = new Set([
  'newEntry',
  'configuration',
  'scheduledTask',
  'shellStartup',
  'credentials',
  'preload',
  'serviceUnit',
] satisfies DriftReason[]);

/** Null where nothing of the drift can make an inventory another one than that of the image. */
function digestForInventory(relevant: readonly DriftEntry[], limits: readonly string[]): string | null {
  const read = relevant.filter(({ kind, entryType, reasons }) => {
    const isPlainFile = kind === 'added' && entryType === 'file';
    return !isPlainFile || reasons.some((reason) => !PLACE_REASONS.has(reason));
  });
  return read.length === 0 && limits.length === 0 ? null : hash('sha256', JSON.stringify([limits, read]));
}

/** What an entry is known by: while this stays, it is not opened again. */
export function formatSignature({ stat }: UpperEntry): string {
  const { type, ino, ctimeNs, size, mode, uid, gid } = stat;
  return `${type} ${ino} ${ctimeNs} ${size} ${mode} ${uid} ${gid}`;
}

/**
 * The signature as it is remembered. A file that changed a moment before it was read may change once more without any
 * attribute of it moving, since the clock of many kernels ticks in milliseconds: what is remembered of it never holds.
 * `readMs`: by the clock of the system, not after its content was read.
 */
export function formatRemembered({ stat }: UpperEntry, signature: string, readMs: number): string {
  const stillNs = stat.ctimeNs % SECOND_NS === 0n ? SECOND_NS : TICKS_NS;
  const isSettled = stat.type !== 'file' || BigInt(readMs) * NS_PER_MS - stat.ctimeNs > stillNs;
  return isSettled ? signature : `${signature} unsettled`;
}

/** An empty memory, for the first scan of a container or after its image or mounts changed. */
export function createDriftMemory(): DriftMemory {
  return { outcomes: new Map(), removed: new Map(), owners: new Map(), last: undefined };
}
