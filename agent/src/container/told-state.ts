/** Claims-sets by SHA-256 (hex), such as the keys of a map. */
export type ClaimsSetNames = Pick<ReadonlySet<string>, 'has'>;

/** Claims-sets with the same drift differ by what runs; an answer to an older one than these comes no more. */
const MAX_SETS = 64;

/**
 * What was told of a container, and whether it arrived where it counts; above all of its last state: the one that the
 * first scan after its end found. What moves in its files after that is their removal, and nobody runs it.
 */
export class ToldState {
  /** Drift of the last scan that a claims-set was made of, and so told. */
  #drift: string | undefined;
  /** SHA-256 (hex) of the newest claims-sets that told it. */
  #sets = new Set<string>();
  #isConfirmed = false;
  /** Drift of the last state; undefined while it may still change. */
  #endDrift: string | undefined;

  /** A scan that began after the end gave this drift. The first one counts. */
  setEnd(drift: string): void {
    this.#endDrift ??= drift;
  }

  /** It runs again: what it was when it had ended is not its last state. */
  clearEnd(): void {
    this.#endDrift = undefined;
  }

  /** The last state was told. */
  get isEndTold(): boolean {
    return this.#endDrift !== undefined && this.#endDrift === this.#drift;
  }

  /** A claims-set with this SHA-256 (hex) tells this drift. */
  remember(drift: string | undefined, sha256: string): void {
    if (drift === this.#drift && this.#sets.has(sha256)) return;
    if (drift !== this.#drift) {
      if (this.isEndTold) return;
      this.#drift = drift;
      this.#sets = new Set();
      this.#isConfirmed = false;
    }
    this.#sets.add(sha256);
    for (const oldest of this.#sets) {
      if (this.#sets.size <= MAX_SETS) break;
      this.#sets.delete(oldest);
    }
  }

  /** These claims-sets (SHA-256, hex) arrived where they count. */
  confirm(sets: ClaimsSetNames): void {
    if (this.#isConfirmed) return;
    for (const told of this.#sets) this.#isConfirmed ||= sets.has(told);
  }

  /** What was told last arrived. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** SHA-256 (hex) of the claims-sets that tell what was told last. */
  get sets(): ReadonlySet<string> {
    return this.#sets;
  }
}
