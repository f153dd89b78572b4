import type { StateDirectory } from '../state/state-directory.ts';
import { encodeChainEvent, encodeChainState, parseChainJournal } from './chain-journal.ts';
import {
  addRecord,
  type ChainEvent,
  type ChainState,
  chooseLosses,
  confirmRecord,
  createChain,
  dropRecords,
  type SpoolLimits,
} from './chain-state.ts';
import type { RoundRecord } from './round-record.ts';

const FILE = 'chain.journal';
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const REWRITE_BYTES = 1024 * 1024;
const CHAIN_ID_BYTES = 16;
const LIMITS: SpoolLimits = { maxRecords: 4_096, maxBytes: 16 * 1024 * 1024 };

/** Why a chain begins: `firstStart` where none was kept; the others leave a gap that the Verifier shows. */
export type ChainBegun = 'firstStart' | 'journalDamaged' | 'otherOwner';

export interface ChainStoreDeps {
  state: StateDirectory;
  randomBytes(size: number): Buffer;
  onBegun(reason: ChainBegun): void;
}

/**
 * The chain on disk. Once `add` settles, the token and its place in the chain survive a power cut: only then may it
 * leave the machine. Calls are carried out one after another.
 */
export class ChainStore {
  readonly #deps: ChainStoreDeps;
  #chain: ChainState;
  #size = 0;
  /** Set while it is unknown what the end of the file holds; the next write is then of the whole. */
  #unsure = true;
  /** Newest token of which a receipt is not in the file yet. */
  #received: number | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(deps: ChainStoreDeps, chain: ChainState) {
    this.#deps = deps;
    this.#chain = chain;
  }

  /**
   * Loads the chain of this owner, or begins one. What was damaged is kept as `chain.journal.damaged`.
   * Throws `AgentError` ERR_AGENT_STATE when the directory cannot be read or written.
   */
  static async open(deps: ChainStoreDeps, owner: string): Promise<ChainStore> {
    const store = new ChainStore(deps, await loadChain(deps, owner));
    await store.#write(undefined);
    return store;
  }

  get chain(): ChainState {
    return this.#chain;
  }

  /** Begins a new chain when the identity changed. */
  async adopt(owner: string): Promise<void> {
    await this.#alone(async () => {
      if (this.#chain.owner === owner) return;
      this.#chain = createChain(newChainId(this.#deps), owner);
      this.#unsure = true;
      await this.#write(undefined);
      this.#deps.onBegun('otherOwner');
    });
  }

  /**
   * Appends a token to the chain, dropping the least important where the spool is full. `declared`: the losses of the
   * chain that it tells of, all of them unless said.
   */
  async add(record: RoundRecord, declared?: ChainState['lost']): Promise<void> {
    await this.#alone(() => this.#add(record, declared));
  }

  async #add(record: RoundRecord, declared: ChainState['lost'] | undefined): Promise<void> {
    const { seq, kind, kid, token } = record;
    const before = this.#chain;
    this.#chain = addRecord(before, record, declared);
    try {
      const areMoved = this.#chain.lost !== before.lost;
      await this.#write(areMoved ? undefined : { event: 'token', seq, kind, kid, token });
    } catch (error) {
      this.#chain = before;
      throw error;
    }
    for (const loss of chooseLosses(this.#chain, LIMITS)) await this.#drop(loss);
  }

  /**
   * Gives up tokens that another key signed, but for `retiredKid`: keys that were replaced are dead at every Verifier.
   * They are declared lost.
   */
  async retireOthers(kid: string, retiredKid?: string): Promise<void> {
    await this.#alone(async () => {
      const dead = this.#chain.unsent.filter((record) => record.kid !== kid && record.kid !== retiredKid);
      for (const record of dead) await this.#drop(record);
    });
  }

  /** Gives up one token that no Verifier will take any more. It is declared lost. */
  async giveUp(record: RoundRecord): Promise<void> {
    await this.#alone(async () => {
      if (this.#chain.unsent.some(({ evidenceId }) => evidenceId === record.evidenceId)) await this.#drop(record);
    });
  }

  async #drop({ seq, kind }: RoundRecord): Promise<void> {
    const dropped = { from: seq, to: seq, kind, declaredIn: (this.#chain.head?.seq ?? 0) + 1 };
    this.#chain = dropRecords(this.#chain, dropped);
    await this.#write({ event: 'lost', ...dropped });
  }

  /**
   * Forgets the tokens up to this one: a Verifier has them. The file tells it with the next token, or when it is closed:
   * after a power cut before that a token is sent once more, and answered as known. Losses that were declared are not
   * declared again.
   */
  async confirm(seq: number): Promise<void> {
    await this.#alone(async () => {
      const next = confirmRecord(this.#chain, seq);
      const { unsent, lost } = this.#chain;
      if (next.unsent.length === unsent.length && next.lost.length === lost.length) return;
      this.#chain = next;
      if (next.lost.length < lost.length) await this.#write({ event: 'received', seq });
      else this.#received = Math.max(this.#received ?? 0, seq);
    });
  }

  /** Writes what waits to be written. Where that rejects, as on a disk that is gone, no more is lost than by a power cut. */
  async close(): Promise<void> {
    await this.#alone(async () => {
      if (this.#received !== undefined) await this.#write(undefined);
    });
  }

  #alone(job: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(job);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Without an event, the whole. */
  async #write(event: ChainEvent | undefined): Promise<void> {
    const whole = this.#unsure || event === undefined || this.#size > REWRITE_BYTES;
    const content = whole ? encodeChainState(this.#chain) : this.#encode(event);
    this.#unsure = true;
    await (whole ? this.#deps.state.replace(FILE, content) : this.#deps.state.append(FILE, content));
    this.#unsure = false;
    this.#received = undefined;
    this.#size = whole ? 0 : this.#size + content.length;
  }

  #encode(event: ChainEvent): Buffer {
    const own = encodeChainEvent(event);
    if (this.#received === undefined) return own;
    return Buffer.concat([encodeChainEvent({ event: 'received', seq: this.#received }), own]);
  }
}

async function loadChain(deps: ChainStoreDeps, owner: string): Promise<ChainState> {
  const begin = (reason: ChainBegun) => {
    deps.onBegun(reason);
    return createChain(newChainId(deps), owner);
  };
  const bytes = await deps.state.read(FILE, MAX_FILE_BYTES);
  if (bytes === undefined) return begin('firstStart');
  const chain = parseOrUndefined(bytes);
  if (chain === undefined) {
    await deps.state.rename(FILE, `${FILE}.damaged`);
    return begin('journalDamaged');
  }
  return chain.owner === owner ? chain : begin('otherOwner');
}

function parseOrUndefined(bytes: Buffer): ChainState | undefined {
  try {
    return parseChainJournal(bytes);
  } catch {
    return undefined;
  }
}

function newChainId(deps: ChainStoreDeps): string {
  return deps.randomBytes(CHAIN_ID_BYTES).toString('base64url');
}
