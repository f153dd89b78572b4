import { create, fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  AttestationStatus,
  Freshness,
  GetKubeNodeResponseSchema,
  type KubeNode,
  KubeNodeSchema,
  ListKubeNodesResponseSchema,
  type Result,
  ResultSchema,
  ResultService,
  type WatchResultsRequest,
  type WatchResultsResponse,
  WatchResultsResponseSchema,
} from '@holdfast/proto';
import type { PeerRole } from '../server/peer.ts';
import { createServerStreamRoute, createUnaryRoute, type Guard, type Route } from '../server/routes.ts';
import type { ReferenceStore } from '../store/reference-store.ts';
import type { NodeRow, ResultStore, StoredResult } from '../store/result-store.ts';
import { VerifierError } from '../verifier-error.ts';
import { explain } from './explain.ts';
import { fitResult } from './fit-result.ts';
import { clampPageSize, decodePageToken, encodePageToken } from './page.ts';
import type { ResultFeed } from './result-feed.ts';

export interface ResultServiceDeps {
  readonly results: ResultStore;
  readonly references: Pick<ReferenceStore, 'findBySubject' | 'findReference'>;
  readonly feed: ResultFeed;
  readonly guard: Guard;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly staleAfterMs: number;
  /** Largest message that is sent. */
  readonly maxMessageBytes: number;
}

const READERS: readonly PeerRole[] = ['responder', 'operator', 'auditor'];
/** What a message has around a result, freshness and field numbers. */
const MESSAGE_OVERHEAD_BYTES = 64;
/** Few, because all of a page are in memory at once. */
const PAGE = 16;

/** The routes of ResultService. Freshness is judged when somebody asks, from what the store says. */
export function createResultRoutes(deps: ResultServiceDeps): Route[] {
  const { guard } = deps;
  return [
    createServerStreamRoute(ResultService.method.watchResults, READERS, guard, (request, signal) =>
      watchResults(request, signal, deps),
    ),
    createUnaryRoute(ResultService.method.getKubeNode, READERS, guard, ({ kubeNode }) => {
      const stored = deps.results.findByLabel(kubeNode);
      if (stored === undefined)
        throw new VerifierError('ERR_VERIFIER_NOT_FOUND', 'there is no result of this kube node');
      return create(GetKubeNodeResponseSchema, { result: toResult(stored, deps) });
    }),
    createUnaryRoute(ResultService.method.listKubeNodes, READERS, guard, ({ pageSize, pageToken }) => {
      const limit = clampPageSize(pageSize);
      const rows = deps.results.listNodes(decodePageToken(pageToken), limit + 1);
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      return create(ListKubeNodesResponseSchema, {
        kubeNodes: page.map((row) => toKubeNode(row, deps)),
        nextPageToken: last === undefined ? '' : encodePageToken(last.label),
      });
    }),
    createUnaryRoute(ResultService.method.explain, READERS, guard, ({ subject }) =>
      explain(subject, { ...deps, toResult: (stored) => toResult(stored, deps) }),
    ),
  ];
}

async function* watchResults(
  { kubeNode, currentOnly }: WatchResultsRequest,
  signal: AbortSignal,
  deps: ResultServiceDeps,
): AsyncGenerator<WatchResultsResponse> {
  const changes = currentOnly ? undefined : deps.feed.watch(signal);
  for (const stored of listCurrent(kubeNode, deps)) yield toWatched(stored, deps);
  if (changes === undefined) return;
  for await (const ueid of changes) {
    const stored = deps.results.findByUeid(ueid);
    if (stored !== undefined && (kubeNode === '' || stored.label === kubeNode)) yield toWatched(stored, deps);
  }
}

function* listCurrent(kubeNode: string, deps: ResultServiceDeps): Generator<StoredResult> {
  if (kubeNode !== '') {
    const stored = deps.results.findByLabel(kubeNode);
    if (stored !== undefined) yield stored;
    return;
  }
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = deps.results.listCurrent(after, PAGE);
    yield* page;
    after = page.length < PAGE ? undefined : page.at(-1)?.label;
  }
}

function toWatched(stored: StoredResult, deps: ResultServiceDeps): WatchResultsResponse {
  return create(WatchResultsResponseSchema, { result: toResult(stored, deps) });
}

function toResult({ body, lastGoodAtMs }: StoredResult, deps: ResultServiceDeps): Result {
  const result = fitResult(body, deps.maxMessageBytes - MESSAGE_OVERHEAD_BYTES);
  result.freshness = judgeFreshness(lastGoodAtMs, deps);
  return result;
}

function toKubeNode(row: NodeRow, deps: ResultServiceDeps): KubeNode {
  const result = row.body === null ? undefined : fromBinary(ResultSchema, row.body);
  return create(KubeNodeSchema, {
    name: row.label,
    ueid: row.ueid,
    status: result?.status ?? AttestationStatus.NONE,
    freshness: judgeFreshness(row.lastGoodAtMs, deps),
    enrolledAt: timestampFromMs(row.enrolledAtMs),
    ...(row.lastGoodAtMs === null ? {} : { lastGoodAt: timestampFromMs(row.lastGoodAtMs) }),
    containers: result?.containers.length ?? 0,
  });
}

function judgeFreshness(
  lastGoodAtMs: number | null,
  { now, staleAfterMs }: Pick<ResultServiceDeps, 'now' | 'staleAfterMs'>,
): Freshness {
  if (lastGoodAtMs === null) return Freshness.NEVER;
  return now() - lastGoodAtMs > staleAfterMs ? Freshness.STALE : Freshness.FRESH;
}
