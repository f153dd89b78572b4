/** Milliseconds for which a loss stands in the index: several heartbeats, so that each verifier is told. */
const KEEP_MS = 300_000;
const MAX_KEPT = 128;
/** The event that follows a container out comes within this time. */
const EXPECT_MS = 60_000;
const MAX_EXPECTED = 4_096;

/** Remembers containers whose last state nobody saw, for those who ask next and for the index. */
export class LossLedger {
  readonly #recent = new Map<string, number>();
  #untold: string[] = [];
  readonly #expected = new Map<string, number>();

  add(kind: 'NOT_CAPTURED' | 'NOT_OBSERVED', id: string, nowMs: number): void {
    const loss = `${kind}:${id}`;
    if (this.#recent.has(loss)) return;
    this.#recent.set(loss, nowMs);
    this.#untold.push(loss);
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= MAX_KEPT) break;
      this.#recent.delete(oldest);
    }
  }

  /** A container that was known left the list before an event told of it: the event still comes and tells of no other. */
  expectEvent(uid: string, nowMs: number): void {
    this.#expected.delete(uid);
    this.#expected.set(uid, nowMs);
    for (const oldest of this.#expected.keys()) {
      if (this.#expected.size <= MAX_EXPECTED) break;
      this.#expected.delete(oldest);
    }
  }

  /** Whether an event is the one that was expected; it is then expected no more. */
  takeExpected(uid: string, nowMs: number): boolean {
    const sinceMs = this.#expected.get(uid);
    this.#expected.delete(uid);
    return sinceMs !== undefined && nowMs - sinceMs <= EXPECT_MS;
  }

  /** Each loss once. */
  take(): string[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** Those of late, sorted. */
  listRecent(nowMs: number): string[] {
    for (const [loss, atMs] of this.#recent) if (nowMs - atMs > KEEP_MS) this.#recent.delete(loss);
    return [...this.#recent.keys()].sort();
  }
}
