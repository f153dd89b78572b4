import type { InjectionClaims, RunningClaims } from '@holdfast/evidence/documents';
import type { LookReply } from './look-protocol.ts';

/** Where a variable of a program comes from. */
export type ClassifyVariable = (variable: { readonly name: string; readonly value: string }) => InjectionClaims['from'];

type ListName = keyof RunningClaims;
/** What a claims-set is to hold of one container, well within what its form allows. */
const MAX_ROWS = 2_000;
const MAX_CHARS = 512 * 1024;

/** All that was seen to run in a container since its first process was started, each thing once. */
export class RunningHistory {
  readonly #lists: { [K in ListName]: Map<string, RunningClaims[K][number]> } = {
    code: new Map(),
    executed: new Map(),
    anonymous: new Map(),
    foreign: new Map(),
    injected: new Map(),
    transient: new Map(),
  };
  readonly #full = new Set<string>();
  #chars = 0;

  /** Adds what a look found. True where something of it is new. */
  add(reply: LookReply, classify: ClassifyVariable): boolean {
    const { code, executed, anonymous, foreign, transient } = reply;
    const injected = reply.injected.map((row) => ({ ...row, from: classify(row) }));
    const added = [
      this.#addAll('code', code),
      this.#addAll('executed', executed),
      this.#addAll('anonymous', anonymous),
      this.#addAll('foreign', foreign),
      this.#addAll('injected', injected),
      this.#addAll('transient', transient),
    ];
    return added.includes(true);
  }

  /** Lists that did not hold all. */
  get limits(): string[] {
    return [...this.#full];
  }

  /** Sorted, so that the order in which things were seen changes nothing. */
  get claims(): RunningClaims {
    const { code, executed, anonymous, foreign, injected, transient } = this.#lists;
    return {
      code: listSorted(code),
      executed: listSorted(executed),
      anonymous: listSorted(anonymous),
      foreign: listSorted(foreign),
      injected: listSorted(injected),
      transient: listSorted(transient),
    };
  }

  #addAll<K extends ListName>(name: K, rows: readonly RunningClaims[K][number][]): boolean {
    const list = this.#lists[name];
    let isNew = false;
    for (const row of rows) {
      const key = JSON.stringify(row);
      if (list.has(key)) continue;
      if (list.size >= MAX_ROWS || this.#chars + key.length > MAX_CHARS) {
        isNew ||= !this.#full.has(name);
        this.#full.add(name);
        continue;
      }
      list.set(key, row);
      this.#chars += key.length;
      isNew = true;
    }
    return isNew;
  }
}

function listSorted<T>(rows: ReadonlyMap<string, T>): T[] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
