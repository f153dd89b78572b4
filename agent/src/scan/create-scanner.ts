import { AgentError } from '../agent-error.ts';
import {
  type LookReply,
  type LookRequest,
  NO_GROUP,
  type PeekReply,
  type PeekRequest,
} from '../process/look-protocol.ts';
import type { LookOutcome } from '../process/process-looker.ts';
import { startProcess, startThread } from './lane-host.ts';
import type { ProofReply, ProofRequest, QuietReply, ScanReply, ScanRequest } from './scan-protocol.ts';
import { ScanFailure, WorkerLane } from './worker-lane.ts';

/** Scans containers and proves layers, apart from the event loop and from one another. */
export interface Scanner {
  /**
   * Asks for the request when its turn comes. Slow scans have a process and larger bounds. Rejects with `AgentError`
   * ERR_AGENT_SCAN; `readScanFailure` tells why.
   */
  scan(
    createRequest: () => Omit<ScanRequest, 'kind' | 'bounds'>,
    options: ScanOptions,
  ): Promise<ScanReply | QuietReply>;
  prove(request: Omit<ProofRequest, 'kind'>, group: string): Promise<ProofReply>;
  /** Looks at the processes of a container. Rejects as `scan`. */
  look(request: LookRequest, group: string): Promise<LookOutcome>;
  /** Asks whether anything about processes is other than before. Rejects as `scan`. */
  peek(request: PeekRequest): Promise<PeekReply>;
  /** Forgets what is remembered of a container that is gone. */
  forget(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface ScanOptions {
  /** On whose account the time goes. */
  readonly group: string;
  /** Longest time of the scan, in milliseconds, from when its turn came. */
  readonly budgetMs: number;
  readonly isSlow: boolean;
}

/** Threads and processes that are not needed all the time end after so long. */
const IDLE_MS = 10_000;
/** What a scan may take beyond its own budget before its worker is ended. */
const GRACE_MS = 500;
/** What a look at processes may take beyond its budget: it may be in the middle of one large file. */
const LOOK_GRACE_MS = 8_000;
/** A quick scan's own limits keep it well below; see `SCAN_BOUNDS`. */
const THREAD_HEAP_MB = 256;
const PROCESS_HEAP_MB = 384;
/** Scans apart with a larger budget do not keep those waiting that have less. */
const SHORT_SCAN_MS = 10_000;
/** A proof that takes longer is begun anew apart from those that do not. */
const SHORT_PROOF_MS = 20_000;
const LONG_PROOF_MS = 1_800_000;

/**
 * Creates a scanner: a thread for quick scans, which small bounds keep from using much; one for looks at processes, which may
 * hang in the kernel where a container serves their memory itself; a process each for scans that need
 * more, for scans and for proofs that take long, and for other proofs. So no container delays the others but by a quick scan, and
 * what crashes or exhausts a process fails alone; those that wait get a new one.
 */
export function createScanner(): Scanner {
  const module = locateWorker('scan-worker');
  const createProcessLane = () =>
    new WorkerLane({ module, maxHeapMb: PROCESS_HEAP_MB, idleMs: IDLE_MS, start: startProcess });
  const scans = new WorkerLane({ module, maxHeapMb: THREAD_HEAP_MB, start: startThread });
  const looks = new WorkerLane({
    module: locateWorker('look-worker'),
    maxHeapMb: THREAD_HEAP_MB,
    idleMs: IDLE_MS,
    start: startThread,
  });
  const [slowScans, longScans] = [createProcessLane(), createProcessLane()];
  const [proofs, longProofs] = [createProcessLane(), createProcessLane()];
  const chooseLane = ({ isSlow, budgetMs }: ScanOptions): WorkerLane => {
    if (!isSlow) return scans;
    return budgetMs > SHORT_SCAN_MS ? longScans : slowScans;
  };
  return {
    scan: async (createRequest, options) => {
      const { group, budgetMs, isSlow } = options;
      const bounds = isSlow ? 'full' : 'small';
      const timeoutMs = budgetMs + GRACE_MS;
      return toScanReply(
        await chooseLane(options).run({
          createRequest: () => ({ ...createRequest(), kind: 'scan', bounds }),
          group,
          timeoutMs,
        }),
      );
    },
    prove: async (request, group) => {
      const job = { createRequest: () => ({ ...request, kind: 'proof' as const }), group };
      const isTooLong = (error: unknown) => readScanFailure(error) === 'time';
      const reply = await proofs.run({ ...job, timeoutMs: SHORT_PROOF_MS }).catch((error: unknown) => {
        if (!isTooLong(error)) throw error;
        return longProofs.run({ ...job, timeoutMs: LONG_PROOF_MS });
      });
      return toProofReply(reply);
    },
    look: async (request, group) =>
      toLookOutcome(
        await looks.run({ createRequest: () => request, group, timeoutMs: request.budgetMs + LOOK_GRACE_MS }),
      ),
    peek: async (request) =>
      toPeekReply(await looks.run({ createRequest: () => request, group: '', timeoutMs: LOOK_GRACE_MS })),
    forget: async (key) => {
      await scans.run({ createRequest: () => ({ kind: 'forget', key }), group: key, timeoutMs: GRACE_MS });
    },
    close: async () =>
      void (await Promise.all([scans, looks, slowScans, longScans, proofs, longProofs].map((lane) => lane.close()))),
  };
}

function locateWorker(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

/** The reason of a failed scan in one word, or undefined where the error is another. */
export function readScanFailure(error: unknown): string | undefined {
  return error instanceof AgentError && error.cause instanceof ScanFailure ? error.cause.reason : undefined;
}

function toScanReply(reply: unknown): ScanReply | QuietReply {
  if (isScanReply(reply)) return reply;
  throw new TypeError('a scan answers with what it found');
}

function toProofReply(reply: unknown): ProofReply {
  if (isProofReply(reply)) return reply;
  throw new TypeError('a proof answers with a fingerprint');
}

function toLookOutcome(reply: unknown): LookOutcome {
  if (reply === NO_GROUP || isLookReply(reply)) return reply;
  throw new TypeError('a look answers with what runs');
}

function toPeekReply(reply: unknown): PeekReply {
  if (isPeekReply(reply)) return reply;
  throw new TypeError('a peek answers with signatures');
}

function isLookReply(reply: unknown): reply is LookReply {
  return typeof reply === 'object' && reply !== null && 'transient' in reply;
}

function isPeekReply(reply: unknown): reply is PeekReply {
  return typeof reply === 'object' && reply !== null && 'signatures' in reply;
}

function isScanReply(reply: unknown): reply is ScanReply | QuietReply {
  if (typeof reply !== 'object' || reply === null || !('kind' in reply)) return false;
  return reply.kind === 'scanned' || reply.kind === 'quiet';
}

function isProofReply(reply: unknown): reply is ProofReply {
  return typeof reply === 'object' && reply !== null && 'differing' in reply;
}
