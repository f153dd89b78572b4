import { AgentError } from '../agent-error.ts';
import { addRecord, type ChainEvent, type ChainState, confirmRecord, createChain, dropRecords } from './chain-state.ts';
import { computeEvidenceId, type RoundKind } from './round-record.ts';

/** One event as a line of the journal. */
export function encodeChainEvent(event: ChainEvent): Buffer {
  return Buffer.from(`${JSON.stringify(event)}\n`);
}

/** The shortest journal that leads to this state. */
export function encodeChainState(state: ChainState): Buffer {
  const { chain, owner, unsent, lost } = state;
  // Tokens that are still unsent lead the head on their own, so the chain begins before the first of them.
  const first = unsent[0];
  const head = first === undefined ? (state.head ?? null) : null;
  return Buffer.concat([
    encodeChainEvent({ event: 'chain', chain, owner, head }),
    ...unsent.map(({ seq, kind, kid, token }) => encodeChainEvent({ event: 'token', seq, kind, kid, token })),
    ...lost.map((loss) => encodeChainEvent({ event: 'lost', ...loss })),
  ]);
}

/**
 * Plays a journal. A last line without its newline never left this machine as a token and is dropped: the write that it
 * stems from did not end. Undefined for an empty journal.
 *
 * Throws `AgentError` ERR_AGENT_STATE when any other line is damaged: the head is then unknown.
 */
export function parseChainJournal(bytes: Buffer): ChainState | undefined {
  const lines = bytes.toString('utf8').split('\n').slice(0, -1);
  let state: ChainState | undefined;
  for (const line of lines) state = applyEvent(state, parseEvent(line));
  return state;
}

function applyEvent(state: ChainState | undefined, event: ChainEvent): ChainState {
  if (event.event === 'chain') return { ...createChain(event.chain, event.owner), head: event.head ?? undefined };
  if (state === undefined) throw damaged();
  switch (event.event) {
    case 'token': {
      if (state.head !== undefined && event.seq <= state.head.seq) throw damaged();
      const { seq, kind, kid, token } = event;
      return addRecord(state, { seq, kind, kid, token, evidenceId: computeEvidenceId(token) });
    }
    case 'received':
      return confirmRecord(state, event.seq);
    case 'lost': {
      const { from, to, kind, declaredIn } = event;
      if (to < from || declaredIn <= to) throw damaged();
      return dropRecords(state, { from, to, kind, declaredIn });
    }
  }
}

function parseEvent(line: string): ChainEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw damaged(error);
  }
  if (typeof value !== 'object' || value === null) throw damaged();
  return toEvent({ ...value });
}

function toEvent(fields: Record<string, unknown>): ChainEvent {
  switch (fields.event) {
    case 'chain':
      return {
        event: 'chain',
        chain: takeText(fields.chain),
        owner: takeText(fields.owner),
        head: takeHead(fields.head),
      };
    case 'token':
      return {
        event: 'token',
        seq: takeSeq(fields.seq),
        kind: takeKind(fields.kind),
        kid: takeText(fields.kid),
        token: takeText(fields.token),
      };
    case 'received':
      return { event: 'received', seq: takeSeq(fields.seq) };
    case 'lost':
      return {
        event: 'lost',
        from: takeSeq(fields.from),
        to: takeSeq(fields.to),
        kind: takeKind(fields.kind),
        declaredIn: takeSeq(fields.declaredIn),
      };
    default:
      throw damaged();
  }
}

function takeHead(value: unknown): { seq: number; evidenceId: string } | null {
  if (value === null) return null;
  if (typeof value !== 'object' || value === undefined) throw damaged();
  const fields: Record<string, unknown> = { ...value };
  return { seq: takeSeq(fields.seq), evidenceId: takeText(fields.evidenceId) };
}

function takeText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw damaged();
  return value;
}

function takeSeq(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

function takeKind(value: unknown): RoundKind {
  if (value !== 'change' && value !== 'heartbeat') throw damaged();
  return value;
}

function damaged(cause?: unknown): AgentError {
  return new AgentError('ERR_AGENT_STATE', 'the chain journal is damaged', { cause });
}
