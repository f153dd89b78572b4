import type {
  CodeClaims,
  ExecutedClaims,
  ForeignClaims,
  InjectionClaims,
  ProgramClaims,
} from '@holdfast/evidence/documents';
import type { MountInfo } from '../container/mountinfo.ts';
import { formatForeignPath } from '../container/path-format.ts';
import type { LocatedCode } from './code-locator.ts';
import type { LookReply } from './look-protocol.ts';

const MAX_ROWS = 2_000;
const MAX_LIMITS = 32;

/** Rows, each once, up to a bound. */
class RowList<T> {
  readonly #rows = new Map<string, T>();

  /** False where the list is full. */
  add(row: T): boolean {
    const key = JSON.stringify(row);
    if (this.#rows.has(key)) return true;
    if (this.#rows.size >= MAX_ROWS) return false;
    this.#rows.set(key, row);
    return true;
  }

  get all(): T[] {
    return [...this.#rows.values()];
  }
}

/** Gathers what a look at a container finds. */
export class LookRows {
  readonly #code = new RowList<CodeClaims>();
  readonly #executed = new RowList<ExecutedClaims>();
  readonly #anonymous = new RowList<ProgramClaims>();
  readonly #foreign = new RowList<ForeignClaims>();
  readonly #injected = new RowList<Omit<InjectionClaims, 'from'>>();
  readonly #transient = new RowList<string>();
  readonly #mounts = new RowList<MountInfo>();
  readonly #restless = new RowList<string>();
  readonly #limits = new Set<string>();
  isUnsettled = false;

  addCode(code: LocatedCode, use: CodeClaims['use']): void {
    this.#keep('code', this.#code.add({ ...this.#describe(code), use }));
  }

  addExecuted(program: LocatedCode, terminal: boolean): void {
    this.#keep('executed', this.#executed.add({ ...this.#describe(program), terminal }));
  }

  addAnonymous(program: LocatedCode): void {
    this.#keep('anonymous', this.#anonymous.add(this.#describe(program)));
  }

  addForeign(program: LocatedCode, sees: ForeignClaims['sees']): void {
    this.#keep('foreign', this.#foreign.add({ ...this.#describe(program), sees }));
  }

  addInjected(program: LocatedCode, { name, value }: { readonly name: string; readonly value: string }): void {
    const path = formatForeignPath(program.path);
    this.#keep('injected', this.#injected.add({ path, name, value: formatForeignPath(value) }));
  }

  addTransient(path: string): void {
    this.#keep('transient', this.#transient.add(formatForeignPath(path)));
  }

  addMount(mount: MountInfo): void {
    this.#keep('mounts', this.#mounts.add(mount));
  }

  addRestless(path: string): void {
    this.#keep('restless', this.#restless.add(path));
  }

  addLimit(limit: string): void {
    if (this.#limits.size < MAX_LIMITS) this.#limits.add(limit);
  }

  finish(): LookReply {
    return {
      code: this.#code.all,
      executed: this.#executed.all,
      anonymous: this.#anonymous.all,
      foreign: this.#foreign.all,
      injected: this.#injected.all,
      transient: this.#transient.all,
      mounts: this.#mounts.all,
      restless: this.#restless.all,
      limits: [...this.#limits],
      isUnsettled: this.isUnsettled,
    };
  }

  #describe({ path, origin, sha256, limit }: LocatedCode): ProgramClaims {
    const shown = formatForeignPath(path);
    if (limit !== undefined) this.addLimit(`${limit}:${shown}`);
    return { path: shown, origin, sha256: sha256 ?? null };
  }

  #keep(list: string, isKept: boolean): void {
    if (!isKept) this.addLimit(list);
  }
}
