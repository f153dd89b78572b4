import { LossLedger } from './loss-ledger.ts';
import { Timers } from './timers.ts';
import type { ClaimsSetNames } from './told-state.ts';
import type { TrackedContainer } from './tracked-container.ts';

export interface DeparturesDeps {
  readonly clock: { monotonicMs(): number };
  /** Somebody tells with `confirm` what was taken; else a container counts as captured once it was told of. */
  readonly areConfirmed: boolean;
  /** A loss was added. */
  onLoss(): void;
}

/** A Verifier that takes a round takes it within this time, round trips and questions included. */
const CONFIRM_MS = 10_000;
const MAX_WAITING = 4_096;

/** Containers that left: those whose last state nobody has are losses. */
export class Departures {
  readonly #deps: DeparturesDeps;
  readonly #losses = new LossLedger();
  readonly #timers = new Timers();
  /** Id → claims-sets that tell its last state, of which none is known to have arrived. */
  readonly #waiting = new Map<string, ReadonlySet<string>>();

  constructor(deps: DeparturesDeps) {
    this.#deps = deps;
  }

  /** A container that was known is in the list no more. */
  leave(uid: string, container: TrackedContainer): void {
    if (!container.isDeleteTold) this.#losses.expectEvent(uid, this.#deps.clock.monotonicMs());
    if (!container.isSupported) return;
    const { key } = container.record;
    if (!container.isCaptured) this.#lose('NOT_CAPTURED', key);
    else if (this.#deps.areConfirmed && !container.told.isConfirmed) this.#await(key, container.told.sets);
  }

  /** The runtime told that a container went that was not in the last list. */
  onUnknownDeleted(uid: string, id: string): void {
    if (!this.#losses.takeExpected(uid, this.#deps.clock.monotonicMs())) this.#lose('NOT_OBSERVED', id);
  }

  /** These claims-sets arrived. */
  confirm(sets: ClaimsSetNames): void {
    for (const [key, told] of this.#waiting) if (meets(told, sets)) this.#waiting.delete(key);
  }

  /** Each loss once. */
  takeLosses(): string[] {
    return this.#losses.take();
  }

  listRecentLosses(): string[] {
    return this.#losses.listRecent(this.#deps.clock.monotonicMs());
  }

  close(): void {
    this.#timers.close();
  }

  #await(key: string, told: ReadonlySet<string>): void {
    this.#waiting.set(key, told);
    this.#timers.after(CONFIRM_MS, () => this.#expire(key, told));
    const [oldest] = this.#waiting;
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#expire(...oldest);
  }

  #expire(key: string, told: ReadonlySet<string>): void {
    if (this.#waiting.get(key) !== told) return;
    this.#waiting.delete(key);
    this.#lose('NOT_CAPTURED', key);
  }

  #lose(kind: 'NOT_CAPTURED' | 'NOT_OBSERVED', id: string): void {
    this.#losses.add(kind, id, this.#deps.clock.monotonicMs());
    this.#deps.onLoss();
  }
}

/** Whether the sets have an element in common. */
function meets(few: ReadonlySet<string>, many: ClaimsSetNames): boolean {
  for (const each of few) if (many.has(each)) return true;
  return false;
}
