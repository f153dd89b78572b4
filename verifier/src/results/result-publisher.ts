import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import { ResultSchema } from '@holdfast/proto';
import type { VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import type { Appraisal } from '../appraisal/appraise.ts';
import { signEar } from '../ear/sign-ear.ts';
import type { Signer } from '../ear/signer.ts';
import type { NewResult, ResultStore } from '../store/result-store.ts';
import { buildEar, buildResult } from './build-result.ts';
import type { ResultFeed } from './result-feed.ts';

/** What the last result of a kube node said. */
export interface PublishedState {
  /** Digest of the outcome and the boot that it is about: an equal one needs no new result. */
  readonly fingerprint: string;
  readonly signedAtMs: number;
  readonly overall: Appraisal['overall'];
}

/** A signed result that waits to be stored. */
export interface Publication {
  readonly state: PublishedState;
  readonly row: NewResult;
  /** True when it says what the current one says, only later. */
  readonly isRefresh: boolean;
}

export interface ResultPublisher {
  /** Signs a result, unless the last one says the same and has half its life before it. */
  prepare(
    last: { readonly published: PublishedState | undefined },
    evidence: VerifiedEvidence,
    appraisal: Appraisal,
  ): Promise<Publication | undefined>;
  /** Stores it. Runs inside the caller's transaction. */
  save(publication: Publication): void;
  /** Tells those who watch; after the transaction. */
  announce(publication: Publication): void;
}

export interface PublisherDeps {
  readonly results: ResultStore;
  readonly feed: Pick<ResultFeed, 'publish'>;
  readonly signer: Signer;
  readonly verifierId: string;
  readonly build: string;
  readonly lifetimeMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
}

/** Creates the publisher of Attestation Results. */
export function createResultPublisher(deps: PublisherDeps): ResultPublisher {
  const computeFingerprint = createFingerprinter();
  return {
    prepare: async ({ published }, evidence, appraisal) => {
      const nowMs = deps.now();
      const fingerprint = computeFingerprint(evidence, appraisal);
      const isRefresh = published?.fingerprint === fingerprint;
      if (isRefresh && nowMs - published.signedAtMs < deps.lifetimeMs / 2) return undefined;
      const ear = buildEar(evidence, appraisal, {
        issuedAtMs: nowMs,
        lifetimeMs: deps.lifetimeMs,
        id: Buffer.from(deps.randomBytes(16)).toString('base64url'),
        verifierId: deps.verifierId,
        build: deps.build,
      });
      const jwt = await signEar(ear, deps.signer);
      const row: NewResult = {
        ueid: evidence.claims.ueid,
        evidenceId: evidence.evidenceId,
        basis: fingerprint,
        appraisedAtMs: nowMs,
        body: toBinary(ResultSchema, buildResult(evidence, appraisal, jwt, nowMs)),
        containers: appraisal.containers.map(({ id, manifest }) => ({ id, manifest })),
      };
      return { state: { fingerprint, signedAtMs: nowMs, overall: appraisal.overall }, row, isRefresh };
    },
    save: ({ row, isRefresh }) => {
      if (isRefresh) deps.results.replaceResult(row);
      else deps.results.saveResult(row);
    },
    announce: ({ row }) => deps.feed.publish(row.ueid),
  };
}

/**
 * Makes digests of outcomes, once for each as long as it is the same object. Two boots in a row may have the same findings
 * and are two results all the same.
 */
function createFingerprinter(): (evidence: VerifiedEvidence, appraisal: Appraisal) => string {
  const known = new WeakMap<Appraisal, { counters: string; fingerprint: string }>();
  return ({ quotes }, appraisal) => {
    const counters = JSON.stringify(quotes === null ? null : [quotes.resetCount, quotes.restartCount]);
    const last = known.get(appraisal);
    if (last?.counters === counters) return last.fingerprint;
    const fingerprint = computeFingerprint(counters, appraisal);
    known.set(appraisal, { counters, fingerprint });
    return fingerprint;
  };
}

function computeFingerprint(counters: string, appraisal: Appraisal): string {
  const { containers, ...node } = appraisal;
  const hasher = createHash('sha256').update(`[${counters},${JSON.stringify(node)}]`);
  // One after another: all in one text could be longer than a string may be.
  for (const container of containers) hasher.update(JSON.stringify(container));
  return hasher.digest('hex');
}
