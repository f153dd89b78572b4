import { AgentError } from '../agent-error.ts';
import type { ProofReply, ProofRequest, ScanReply, ScanRequest } from './scan-protocol.ts';
import { ScanFailure, WorkerLane } from './worker-lane.ts';

/** Scans containers and proves layers, apart from the event loop and from one another. */
export interface Scanner {
  /**
   * Asks for the request when its turn comes. `slow` scans have a thread of their own. Rejects with `AgentError`
   * ERR_AGENT_SCAN; `readScanFailure` tells why.
   */
  scan(createRequest: () => Omit<ScanRequest, 'kind'>, options: ScanOptions): Promise<ScanReply>;
  prove(request: Omit<ProofRequest, 'kind'>): Promise<ProofReply>;
  /** Forgets what is remembered of a container that is gone. */
  forget(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface ScanOptions {
  /** Longest time of the scan, in milliseconds, from when its turn came. */
  readonly budgetMs: number;
  readonly isSlow: boolean;
}

export interface ScannerOptions {
  /** Largest heap of a scanning thread, MiB. Default 384. */
  readonly maxHeapMb?: number;
  /** Longest time for one layer, in milliseconds. Default 30 minutes. */
  readonly proofTimeoutMs?: number;
}

/** Threads that are not needed all the time end after so long. */
const IDLE_MS = 10_000;
/** What a scan may take beyond its own budget before its thread is ended. */
const GRACE_MS = 1_000;

/**
 * Creates a scanner with three threads: one for scans, one for scans that are known to take long, one that proves layers,
 * so that neither a large image nor a container that makes itself slow delays the others. A request that crashes, exhausts or outstays its thread fails alone; those that wait get a new thread.
 */
export function createScanner(options: ScannerOptions = {}): Scanner {
  const maxHeapMb = options.maxHeapMb ?? 384;
  const module = new URL(import.meta.url.endsWith('.ts') ? './scan-worker.ts' : './scan-worker.js', import.meta.url);
  const scans = new WorkerLane({ module, maxHeapMb });
  const slowScans = new WorkerLane({ module, maxHeapMb, idleMs: IDLE_MS });
  const proofs = new WorkerLane({ module, maxHeapMb, idleMs: IDLE_MS });
  const proofTimeoutMs = options.proofTimeoutMs ?? 1_800_000;
  return {
    scan: async (createRequest, { budgetMs, isSlow }) => {
      const lane = isSlow ? slowScans : scans;
      return toScanReply(await lane.run(() => ({ ...createRequest(), kind: 'scan' }), budgetMs + GRACE_MS));
    },
    prove: async (request) => toProofReply(await proofs.run(() => ({ ...request, kind: 'proof' }), proofTimeoutMs)),
    forget: async (key) => void (await scans.run(() => ({ kind: 'forget', key }), GRACE_MS)),
    close: async () => void (await Promise.all([scans, slowScans, proofs].map((lane) => lane.close()))),
  };
}

/** The reason of a failed scan in one word, or undefined where the error is another. */
export function readScanFailure(error: unknown): string | undefined {
  return error instanceof AgentError && error.cause instanceof ScanFailure ? error.cause.reason : undefined;
}

function toScanReply(reply: unknown): ScanReply {
  if (isScanReply(reply)) return reply;
  throw new TypeError('a scan answers with a drift');
}

function toProofReply(reply: unknown): ProofReply {
  if (isProofReply(reply)) return reply;
  throw new TypeError('a proof answers with a fingerprint');
}

function isScanReply(reply: unknown): reply is ScanReply {
  return typeof reply === 'object' && reply !== null && 'drift' in reply;
}

function isProofReply(reply: unknown): reply is ProofReply {
  return typeof reply === 'object' && reply !== null && 'differing' in reply;
}
