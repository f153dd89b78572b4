import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readScanFailure, type Scanner } from '../scan/create-scanner.ts';
import { isBoundBySize } from '../scan/scan-bounds.ts';
import type { QuietReply, ScannedDocument, ScanReply, ScanRequest } from '../scan/scan-protocol.ts';
import { createDocument, type Document, type ScanResult } from './build-claims.ts';
import type { LayerProofs } from './layer-proofs.ts';
import type { Rootfs } from './rootfs-resolver.ts';
import type { Place } from './scan-place.ts';
import type { TrackedContainer } from './tracked-container.ts';

interface Baseline {
  readonly document: Document;
  readonly limits: readonly string[];
}

type AskedScan = Omit<ScanRequest, 'kind' | 'bounds'>;

export interface ScanJobsDeps {
  readonly scanner: Pick<Scanner, 'scan'>;
  readonly proofs: Pick<LayerProofs, 'generationOf'>;
  readonly clock: { monotonicMs(): number };
  readonly hostRoot: string;
  readonly budgetMs: number;
}

const MAX_LIMITS = 200;

/** Runs scans and keeps what containers of one image share. */
export class ScanJobs {
  readonly #deps: ScanJobsDeps;
  readonly #baselines = new Map<string, Baseline>();
  readonly #underWay = new Map<TrackedContainer, string>();

  constructor(deps: ScanJobsDeps) {
    this.#deps = deps;
  }

  /**
   * Scans a container and puts the result into it: `changed` where a verifier should hear of it at once, `counted` where
   * only what is not listed moved. After a failure the container has no result but the reason.
   */
  async run(container: TrackedContainer, rootfs: Rootfs): Promise<'same' | 'counted' | 'changed'> {
    const { clock } = this.#deps;
    const before = describeResult(container);
    const driftBefore = container.scan?.drift.sha256;
    const { end } = container;
    const cgroup = container.running.cgroup.now;
    const changed = startScan(container, clock.monotonicMs());
    try {
      const { reply, request } = await this.#scan(container, rootfs, changed);
      container.failure = undefined;
      if (reply.kind === 'scanned') this.#store(container, request, reply);
      const { tookMs, isWhole } = reply.kind === 'scanned' ? reply.drift : reply;
      container.timing.finish(clock.monotonicMs(), tookMs, isWhole);
      if (isWhole) container.walkedAs = cgroup;
      // It may have been started meanwhile: what it was before is not how it ends.
      const isEnd = end !== undefined && end === container.end;
      if (isEnd && container.scan !== undefined) container.told.setEnd(container.scan.drift.sha256);
    } catch (error) {
      // Whatever it was: a container that cannot be scanned says so, and the others go on.
      container.scan = undefined;
      container.scannedAs = undefined;
      container.changes.addAll();
      container.failure = `scan:${readScanFailure(error) ?? 'error'}`;
      container.timing.fail(clock.monotonicMs());
    } finally {
      this.#underWay.delete(container);
    }
    if (describeResult(container) !== before) return 'changed';
    return container.scan?.drift.sha256 === driftBefore ? 'same' : 'counted';
  }

  /** A scan that does not fit where it was tried is started anew with more time and room, apart from the others. */
  async #scan(
    container: TrackedContainer,
    rootfs: Rootfs,
    changed: string | undefined,
  ): Promise<{ reply: ScanReply | QuietReply; request: AskedScan }> {
    const { scanner, clock, budgetMs } = this.#deps;
    for (let isFirst = true; ; isFirst = false) {
      const place = container.place.choose(budgetMs);
      let request: AskedScan | undefined;
      let startedMs = clock.monotonicMs();
      const createRequest = () => {
        startedMs = clock.monotonicMs();
        const paths = isFirst ? (changed ?? null) : null;
        request = { ...this.#createRequest(container, rootfs), changed: paths, budgetMs: place.budgetMs };
        this.#underWay.set(container, request.lowerKey);
        return request;
      };
      const outcome = await scanner
        .scan(createRequest, { ...place, group: container.record.key })
        .catch((error: unknown) => toFailure(error));
      const needsMore = outcome instanceof Error ? isOutgrown(outcome) : isCut(outcome, place);
      if (needsMore && container.place.enlarge(place, budgetMs)) continue;
      container.place.finish(clock.monotonicMs() - startedMs);
      if (outcome instanceof Error) throw outcome;
      if (request === undefined) throw new TypeError('a scan answers a request');
      return { reply: outcome, request };
    }
  }

  /** Forgets what no container in use needs. */
  keepOnly(containers: Iterable<TrackedContainer>): void {
    const known = [...containers].map((container) => container.scannedAs?.lowerKey);
    const inUse = new Set([...known, ...this.#underWay.values()]);
    for (const lowerKey of this.#baselines.keys()) if (!inUse.has(lowerKey)) this.#baselines.delete(lowerKey);
  }

  /** Where a directory that the runtime names is seen by this process. */
  toHostPath(directory: string): string {
    return this.#deps.hostRoot === '/' ? directory : join(this.#deps.hostRoot, directory);
  }

  #formatLowerKey({ lowers }: Rootfs): string {
    return JSON.stringify(lowers.map((lower) => [lower, this.#deps.proofs.generationOf(this.toHostPath(lower))]));
  }

  #createRequest(container: TrackedContainer, rootfs: Rootfs): Omit<AskedScan, 'changed' | 'budgetMs'> {
    const diffIds = container.image?.image?.config.diffIds ?? [];
    const { scannedAs, record } = container;
    const lowerKey = this.#formatLowerKey(rootfs);
    const mountPoints = listMountPoints(container);
    const areLowersSame = scannedAs?.lowerKey === lowerKey;
    const isSame = areLowersSame && isDeepStrictEqual(scannedAs.mountPoints, mountPoints);
    return {
      key: record.key,
      lowerKey,
      lowers: rootfs.lowers.map((lower, at) => ({ directory: this.toHostPath(lower), diffId: diffIds[at] ?? null })),
      upper: rootfs.upper === undefined ? null : this.toHostPath(rootfs.upper),
      mountPoints,
      restless: container.running.restless,
      // One that is not whole is tried again.
      wantsBaseline: this.#baselines.get(lowerKey)?.limits.length !== 0,
      inventoryOf: areLowersSame ? scannedAs.inventoryDigest : null,
      driftOf: isSame ? (container.scan?.drift.sha256 ?? null) : null,
    };
  }

  #store(container: TrackedContainer, { lowerKey, mountPoints }: AskedScan, reply: ScanReply): void {
    if (reply.baseline !== undefined) {
      this.#baselines.set(lowerKey, { document: createDocument(reply.baseline.bytes), limits: reply.baseline.limits });
    }
    const baseline = this.#baselines.get(lowerKey);
    if (baseline === undefined) throw new TypeError('a scan brings the baseline that is not known');
    const inventory = pickInventory(reply.inventory, baseline, container.scan);
    const limits = [
      ...prefix('inventory', inventory.limits),
      ...prefix('baseline', baseline.limits),
      ...prefix('drift', reply.drift.limits),
    ];
    container.scan = {
      inventory: inventory.document,
      inventoryLimits: inventory.limits,
      baseline: baseline.document,
      drift: createDocument(reply.drift.bytes),
      relevantDigest: reply.drift.relevantDigest,
      counts: reply.drift.counts,
      limits,
    };
    container.covered = new Set(reply.covered);
    container.scannedAs = { lowerKey, mountPoints, inventoryDigest: reply.drift.inventoryDigest };
  }
}

/** What is to be looked at; undefined for everything. Changes that may still wait stay noted. */
function startScan({ changes, timing }: TrackedContainer, nowMs: number): string | undefined {
  const changed = changes.take(nowMs);
  timing.start(nowMs, changed === undefined);
  const { sinceMs } = changes;
  if (sinceMs !== undefined) timing.markDirty(sinceMs);
  return changed?.map((path) => `${path}\0`).join('');
}

function toFailure(error: unknown): Error {
  return error instanceof Error ? error : new TypeError('a scan failed without an error', { cause: error });
}

/** The worker was ended: it took too long, or more than it may hold. */
function isOutgrown(error: Error): boolean {
  const reason = readScanFailure(error);
  return reason === 'time' || reason === 'memory';
}

/** Bounds of size are the same in every place apart; time is not. */
function isCut(reply: ScanReply | QuietReply, { isSlow }: Place): boolean {
  if (reply.kind === 'quiet') return false;
  const { drift, baseline, inventory } = reply;
  const merged = typeof inventory === 'string' ? [] : inventory.limits;
  const limits = [...drift.limits, ...(baseline?.limits ?? []), ...merged];
  return isSlow ? limits.some((limit) => /^time\b/.test(limit)) : isBoundBySize(limits);
}

function pickInventory(
  inventory: ScannedDocument | 'baseline' | 'known',
  baseline: Baseline,
  before: ScanResult | undefined,
): Baseline {
  if (inventory === 'baseline') return baseline;
  if (inventory !== 'known') return { document: createDocument(inventory.bytes), limits: inventory.limits };
  if (before === undefined) throw new TypeError('an inventory is known after a scan that made it');
  return { document: before.inventory, limits: before.inventoryLimits };
}

/** Names of limits hold paths of the container: they are cut to what a claims-set can hold. */
function prefix(part: string, limits: readonly string[]): string[] {
  return limits.slice(0, MAX_LIMITS).map((limit) => `${part}:${limit}`.slice(0, 256));
}

function listMountPoints({ mounts, running, record }: TrackedContainer): string[] {
  const shown = [...mounts, ...running.mounts].map((mount) => mount.mountPoint);
  const asked = (record.spec?.mountPoints ?? []).map((path) => Buffer.from(path).toString('latin1'));
  return [...new Set([...shown, ...asked])].filter((path) => path !== '/').sort();
}

/** What a verifier hears of at once: everything but the part of the drift that is only counted. */
function describeResult({ scan, failure, covered }: TrackedContainer): string {
  const { inventory, baseline, relevantDigest, limits } = scan ?? {};
  return JSON.stringify([inventory?.sha256, baseline?.sha256, relevantDigest, limits, failure, [...covered]]);
}
