import type { DeclaredLoss } from '@holdfast/evidence';
import type { RoundKind, RoundRecord } from './round-record.ts';

/** The chain of tokens as the agent knows it: its head, what no Verifier has yet, and what was given up. */
export interface ChainState {
  /** base64url of 16 random bytes. */
  readonly chain: string;
  /** Name of the EK (hex), or the kid without a TPM: a chain belongs to one identity. */
  readonly owner: string;
  /** Last token that was made; undefined at the start of a chain. */
  readonly head: { seq: number; evidenceId: string } | undefined;
  /** Oldest first. */
  readonly unsent: readonly RoundRecord[];
  /** Dropped tokens that no receipt has covered yet. */
  readonly lost: readonly ChainLoss[];
}

/** A loss and the first token that declares it: earlier ones were made before anything was dropped. */
export interface ChainLoss extends DeclaredLoss {
  readonly declaredIn: number;
}

/** Bounds of what is kept for a Verifier that cannot be reached. */
export interface SpoolLimits {
  maxRecords: number;
  maxBytes: number;
}

/** A token declares at most this many ranges. */
const MAX_LOSSES = 64;

/** One line of the journal. */
export type ChainEvent =
  | { event: 'chain'; chain: string; owner: string; head: { seq: number; evidenceId: string } | null }
  | { event: 'token'; seq: number; kind: RoundKind; kid: string; token: string }
  | { event: 'received'; seq: number }
  | { event: 'lost'; from: number; to: number; kind: RoundKind; declaredIn: number };

/** A new chain without tokens. */
export function createChain(chain: string, owner: string): ChainState {
  return { chain, owner, head: undefined, unsent: [], lost: [] };
}

/** The state after a token was made. It declares `declared`, all losses unless said; one that came later is for the next one. */
export function addRecord(state: ChainState, record: RoundRecord, declared = state.lost): ChainState {
  const head = { seq: record.seq, evidenceId: record.evidenceId };
  const isLate = (loss: ChainLoss) => loss.declaredIn <= record.seq && !declared.includes(loss);
  const lost = state.lost.some(isLate)
    ? state.lost.map((loss) => (isLate(loss) ? { ...loss, declaredIn: record.seq + 1 } : loss))
    : state.lost;
  return { ...state, head, unsent: [...state.unsent, record], lost };
}

/** The state after a Verifier's receipt: that token and those before it are done, and with them the losses they declared. */
export function confirmRecord(state: ChainState, seq: number): ChainState {
  const unsent = state.unsent.filter((record) => record.seq > seq);
  return { ...state, unsent, lost: state.lost.filter((loss) => loss.declaredIn > seq) };
}

/** Which records must go for the spool to keep its bounds: heartbeats first, the oldest first; the newest always stays. */
export function chooseLosses(state: ChainState, limits: SpoolLimits): RoundRecord[] {
  const old = state.unsent.slice(0, -1);
  const order = [...old.filter(({ kind }) => kind === 'heartbeat'), ...old.filter(({ kind }) => kind === 'change')];
  let records = state.unsent.length;
  let bytes = state.unsent.reduce((sum, record) => sum + record.token.length, 0);
  const losses: RoundRecord[] = [];
  for (const record of order) {
    if (records <= limits.maxRecords && bytes <= limits.maxBytes) break;
    losses.push(record);
    records -= 1;
    bytes -= record.token.length;
  }
  return losses;
}

/** The state after records were dropped unsent; neighbours of one kind are declared as one. */
export function dropRecords(state: ChainState, loss: ChainLoss): ChainState {
  const unsent = state.unsent.filter(({ seq }) => seq < loss.from || seq > loss.to);
  const lost: ChainLoss[] = [];
  for (const next of [...state.lost, loss].sort((a, b) => a.from - b.from)) {
    const before = lost.at(-1);
    if (before !== undefined && before.kind === next.kind && before.to + 1 === next.from) {
      lost[lost.length - 1] = { ...before, to: next.to, declaredIn: Math.max(before.declaredIn, next.declaredIn) };
    } else lost.push(next);
  }
  return { ...state, unsent, lost: boundLosses(lost) };
}

/** Beyond what a token may declare the oldest are told as one range, which then says more was lost than was. */
function boundLosses(lost: ChainLoss[]): ChainLoss[] {
  const excess = lost.slice(0, Math.max(0, lost.length - MAX_LOSSES + 1));
  const [first] = excess;
  const last = excess.at(-1);
  if (first === undefined || last === undefined || lost.length <= MAX_LOSSES) return lost;
  const declaredIn = Math.max(...excess.map((loss) => loss.declaredIn));
  return [{ from: first.from, to: last.to, kind: 'change', declaredIn }, ...lost.slice(excess.length)];
}
