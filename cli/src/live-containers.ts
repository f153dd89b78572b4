import { setTimeout as delay } from 'node:timers/promises';
import { AgentError, type ContainerCollector, type ContainerSnapshot, createContainerCollector } from '@holdfast/agent';
import {
  type ContainerClaims,
  type Drift,
  type Inventory,
  parseClaimsSet,
  parseDrift,
  parseInventory,
} from '@holdfast/evidence';
import { undecided, usageError } from './cli-error.ts';
import { describeRuntimeChoice, type RuntimeChoice } from './runtime-choice.ts';

/** One container of this machine's runtime as it is now, with the documents that its claims-set names. */
export interface LiveContainer {
  readonly claims: ContainerClaims;
  readonly drift: Drift | null;
  readonly inventory: Inventory | null;
  readonly baseline: Inventory | null;
}

export interface LiveContainers {
  readonly runtime: { readonly name: string; readonly version: string; readonly address: string };
  readonly containers: readonly LiveContainer[];
}

export interface LiveRequest {
  /** A container's id, the first characters of one, or `all`. */
  readonly wanted: string;
  readonly runtime: RuntimeChoice;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether to wait until every layer was compared with its blob. */
  readonly needsProof: boolean;
  onProgress(waiting: number, total: number): void;
}

const POLL_MS = 50;
const PROGRESS_MS = 5_000;

/**
 * Looks at containers through their runtime as the agent does: claims-set, proof of the layers, inventories and drift,
 * read now and compared with nothing but their own image. Ends when all of them are scanned and, where asked for,
 * proven; what is not by then stands among the limits of its claims-set.
 *
 * Throws a sentence when the runtime cannot be asked or there is no such container.
 */
export async function collectLiveContainers(request: LiveRequest): Promise<LiveContainers> {
  const { wanted } = request;
  if (wanted === '') throw usageError('a container is named by its id');
  const selection = wanted === 'all' ? {} : { selects: (id: string) => id.startsWith(wanted) };
  const collector = await createContainerCollector({ ...request.runtime, ...selection });
  try {
    await collector.start();
    const snapshot = await settle(collector, request);
    const containers = selectContainers(openSnapshot(snapshot), wanted);
    const [runtime] = collector.runtimes();
    const address = describeRuntimeChoice(request.runtime);
    return { runtime: { name: runtime?.name ?? '', version: runtime?.version ?? '', address }, containers };
  } catch (error) {
    if (error instanceof AgentError) throw undecided(error.message, error);
    throw error;
  } finally {
    await collector.close();
  }
}

async function settle(collector: ContainerCollector, request: LiveRequest): Promise<ContainerSnapshot> {
  const deadline = performance.now() + request.timeoutMs;
  for (let toldMs = performance.now(); ; ) {
    const snapshot = await collector.collect();
    const waiting = countWaiting(snapshot, request.needsProof);
    if (waiting === 0) return snapshot;
    if (request.signal.aborted) throw undecided('stopped before every container was looked at');
    const nowMs = performance.now();
    if (nowMs > deadline) return snapshot;
    if (nowMs - toldMs > PROGRESS_MS) {
      toldMs = nowMs;
      request.onProgress(waiting, snapshot.sets.size);
    }
    await delay(POLL_MS);
  }
}

/** A failed scan is an answer as well; stopped containers are scanned like others while their snapshot is there. */
function countWaiting(snapshot: ContainerSnapshot, needsProof: boolean): number {
  return [...snapshot.sets.entries()].filter(([, bytes]) => {
    const { limits } = parseClaimsSet(bytes, 'container').scan;
    const isFailed = limits.some((limit) => /^(?:scan|runtime|unsupported):|^rootfsUnknown$/.test(limit));
    return (
      ((limits.includes('notScanned') || limits.includes('notLookedAt')) && !isFailed) ||
      (needsProof && limits.includes('proofPending'))
    );
  }).length;
}

function openSnapshot(snapshot: ContainerSnapshot): LiveContainer[] {
  return Object.entries(snapshot.index.containers).flatMap(([key, digest]) => {
    const bytes = snapshot.sets.get(digest);
    if (bytes === undefined) return [];
    const claims = parseClaimsSet(bytes, 'container', key);
    const open = <T>(ref: ContainerClaims['drift'], parse: (blob: Buffer) => T): T | null => {
      const blob = ref === null ? undefined : snapshot.blobs.get(ref.sha256);
      return blob === undefined ? null : parse(blob);
    };
    return {
      claims,
      drift: open(claims.drift, parseDrift),
      inventory: open(claims.inventory, parseInventory),
      baseline: open(claims.baseline, parseInventory),
    };
  });
}

/** `all` means those that run; an id is found whole or by its first characters, where these mean one alone. */
function selectContainers(found: readonly LiveContainer[], wanted: string): LiveContainer[] {
  if (wanted === 'all') return found.filter(({ claims }) => claims.status !== 'stopped');
  const exact = found.filter(({ claims }) => claims.id === wanted);
  const chosen = exact.length > 0 ? exact : found;
  const [first, second] = chosen;
  if (first === undefined) throw undecided(`the runtime has no container "${wanted}" in any namespace`);
  if (second !== undefined) {
    throw usageError(`"${wanted}" means several containers: ${chosen.map(({ claims }) => claims.id).join(', ')}`);
  }
  return [first];
}
