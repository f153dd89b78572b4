/** What a scan may take among those of other containers, in milliseconds. */
const QUICK_BUDGET_MS = 2_000;
/** First budget of a scan that is done apart; one that is not enough is tripled. */
const FIRST_BUDGET_MS = 10_000;
const MAX_DOUBLINGS = 10;

/** Where the next scan of a container is done, and how long it may take. */
export interface Place {
  readonly budgetMs: number;
  readonly isSlow: boolean;
}

/**
 * Decides whether a container is scanned among the others or apart from them. One whose scan did not fit among them is
 * scanned apart, each time for twice as many scans before it is tried among them again: who makes himself slow on and off
 * soon stays apart.
 */
export class ScanPlace {
  #moves = 0;
  #apartLeft = 0;
  #budgetMs = 0;

  choose(maxBudgetMs: number): Place {
    if (maxBudgetMs <= QUICK_BUDGET_MS) return { budgetMs: maxBudgetMs, isSlow: true };
    if (this.#apartLeft === 0) return { budgetMs: QUICK_BUDGET_MS, isSlow: false };
    return { budgetMs: Math.min(Math.max(this.#budgetMs, FIRST_BUDGET_MS), maxBudgetMs), isSlow: true };
  }

  /** A scan did not fit. False where there is no larger place. */
  enlarge({ budgetMs, isSlow }: Place, maxBudgetMs: number): boolean {
    if (isSlow && budgetMs >= maxBudgetMs) return false;
    this.#budgetMs = isSlow ? budgetMs * 3 : FIRST_BUDGET_MS;
    if (isSlow) return true;
    this.#moves += 1;
    this.#apartLeft = 2 ** Math.min(this.#moves, MAX_DOUBLINGS);
    return true;
  }

  /** A scan fitted, or was the last one tried. */
  finish(tookMs: number): void {
    const isQuick = tookMs <= QUICK_BUDGET_MS / 2;
    if (this.#apartLeft > 1 || (this.#apartLeft === 1 && isQuick)) this.#apartLeft -= 1;
  }
}
