import { classifyName, findDataPlace } from '../drift/classify-name.ts';

/** Something happened to a name below an upper directory. */
export interface PathChange {
  /** Relative to the upper directory, no leading slash, bytes as latin1; empty for the directory itself. */
  readonly path: string;
  /** Only what is in a file was written; it was there before, under this name and with these attributes. */
  readonly isContentOnly: boolean;
}

/** More than so many paths are looked for by a walk. */
const MAX_PATHS = 20_000;
/** A container with more changes of data places than this in a second is looked at by the clock. */
const NOISY_CHANGES = 400;
const WINDOW_MS = 1_000;
const NOISY_MS = 60_000;
/** How long changes of data places are gathered in such a container: new names, and content of names known before. */
const NAMES_MS = 500;
const CONTENT_MS = 3_000;
/**
 * Where they are many their content waits longer: no more than some thirty of them are read a second, up to this time. The walk
 * that comes every half minute takes them along before.
 */
const CONTENT_NAME_MS = 30;
const MAX_CONTENT_MS = 35_000;

/** Paths that wait for a scan, and until when they may. */
class Waiting {
  readonly #afterMs: (size: number) => number;
  #paths = new Set<string>();
  sinceMs: number | undefined;

  /** `afterMs`: how long so many of them may wait. */
  constructor(afterMs: (size: number) => number) {
    this.#afterMs = afterMs;
  }

  get size(): number {
    return this.#paths.size;
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  get dueMs(): number {
    return this.sinceMs === undefined ? Number.POSITIVE_INFINITY : this.sinceMs + this.#afterMs(this.size);
  }

  add(path: string, nowMs: number): void {
    this.#paths.add(path);
    this.sinceMs ??= nowMs;
  }

  take(): Iterable<string> {
    const taken = this.#paths;
    this.#paths = new Set();
    this.sinceMs = undefined;
    return taken;
  }
}

/** A data place, and no name that makes a file code or trust wherever it lies. */
function isData(path: string): boolean {
  return findDataPlace(`/${path}`) !== undefined && classifyName(`/${path}`).length === 0;
}

/**
 * Where something changed in one container since its last scan. Changes of data places (design §4.7) wait in a container
 * that makes very many of them, so that neither its log nor its cache can keep the scanner for itself; any other change
 * never does. Starts with everything to be walked.
 */
export class ChangeSet {
  readonly #prompt = new Waiting(() => 0);
  readonly #names = new Waiting(() => NAMES_MS);
  readonly #content = new Waiting((size) => Math.min(Math.max(CONTENT_MS, size * CONTENT_NAME_MS), MAX_CONTENT_MS));
  readonly #onContentTaken: () => void;
  #isWhole = true;
  #mutedMs: number | undefined;
  #windowMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;
  #noisyUntilMs = Number.NEGATIVE_INFINITY;

  /** `onContentTaken`: nothing `awaits` any longer; called before whoever takes gets anything. */
  constructor(onContentTaken: () => void = () => undefined) {
    this.#onContentTaken = onContentTaken;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether what is written to this name waits to be looked at: it need not be told again until it is. */
  awaits(path: string): boolean {
    return this.#isWhole || this.#content.has(path);
  }

  /** Everything is to be walked. */
  addAll(): void {
    this.#isWhole = true;
  }

  add({ path, isContentOnly }: PathChange, nowMs: number): void {
    if (path === '' || this.#prompt.size + this.#names.size + this.#content.size >= MAX_PATHS) this.addAll();
    if (this.#isWhole) return;
    const waiting = isContentOnly ? this.#content : this.#names;
    if (waiting.has(path) && this.#countNoise(nowMs)) return;
    if (!isData(path) || !this.#countNoise(nowMs)) this.#prompt.add(path, nowMs);
    else waiting.add(path, nowMs);
  }

  /** So many writes to names that it `awaits` were not told, since the last time. */
  addMuted(count: number, nowMs: number): void {
    const sinceMs = this.#mutedMs ?? this.#content.sinceMs ?? nowMs;
    this.#mutedMs = nowMs;
    this.#countNoise(nowMs, (count * WINDOW_MS) / Math.max(nowMs - sinceMs, WINDOW_MS));
  }

  /** Very many changes of data places: they are looked at by the clock. */
  isNoisy(nowMs: number): boolean {
    return nowMs < this.#noisyUntilMs;
  }

  /** Since when the oldest change waits that the next `take` need not give. */
  get sinceMs(): number | undefined {
    const since = this.#all().flatMap((waiting) => waiting.sinceMs ?? []);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** How long what waits may still wait, in milliseconds. */
  waitMs(nowMs: number): number {
    if (this.#isWhole || this.sinceMs === undefined) return 0;
    return Math.max(0, Math.min(...this.#all().map((waiting) => waiting.dueMs)) - nowMs);
  }

  /** Paths whose time has come; undefined where everything is to be walked, and nothing waits any longer. */
  take(nowMs: number): string[] | undefined {
    const due = this.#all().filter((waiting) => this.#isWhole || waiting.dueMs <= nowMs);
    const paths = due.flatMap((waiting) => [...waiting.take()]);
    if (due.includes(this.#content)) this.#onContentTaken();
    if (!this.#isWhole) return paths;
    this.#isWhole = false;
    return undefined;
  }

  #all(): Waiting[] {
    return [this.#prompt, this.#names, this.#content];
  }

  #countNoise(nowMs: number, changes = 1): boolean {
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += changes;
    if (this.#inWindow >= NOISY_CHANGES) this.#noisyUntilMs = nowMs + NOISY_MS;
    return this.isNoisy(nowMs);
  }
}
