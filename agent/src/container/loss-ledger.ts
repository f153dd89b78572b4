/** Milliseconds for which a loss stands in the index: several heartbeats, so that each verifier is told. */
const KEEP_MS = 300_000;
const MAX_KEPT = 128;

/** Remembers containers whose last state nobody saw, for those who ask next and for the index. */
export class LossLedger {
  readonly #recent = new Map<string, number>();
  #untold: string[] = [];

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
