import { create, toBinary } from '@bufbuild/protobuf';
import {
  type ExplainResponse,
  ExplainResponseSchema,
  type ReferenceUse,
  ReferenceUseSchema,
  type Result,
  ResultSchema,
} from '@holdfast/proto';
import type { ReferenceStore } from '../store/reference-store.ts';
import type { ResultStore, StoredResult } from '../store/result-store.ts';
import { VerifierError } from '../verifier-error.ts';

export interface ExplainDeps {
  readonly results: Pick<
    ResultStore,
    'findByLabel' | 'findByEvidence' | 'findByContainer' | 'findByManifest' | 'countByName'
  >;
  readonly references: Pick<ReferenceStore, 'findBySubject' | 'findReference'>;
  readonly toResult: (stored: StoredResult) => Result;
  /** Largest message that is sent. */
  readonly maxMessageBytes: number;
}

const MAX_RESULTS = 100;
/** Of the subject itself: their envelopes are read with them. */
const MAX_OF_SUBJECT = 100;
const MAX_REFERENCES = 1000;
/** Of a message: the rest is for references. */
const RESULT_SHARE = 0.75;

/**
 * All that is known of an image digest, a container, evidence or a kube node, as far as one message goes: what it has no
 * room for is counted. Throws `VerifierError` ERR_VERIFIER_NOT_FOUND where nothing is known.
 */
export function explain(subject: string, deps: ExplainDeps): ExplainResponse {
  const { results, resultsLeftOut } = packResults(subject, deps);
  const used = results.flatMap(({ containers }) => containers.map(({ sbomDigest }) => sbomDigest));
  const ofSubject = deps.references.findBySubject(subject, MAX_OF_SUBJECT + 1).map(({ digest }) => digest);
  const older = ofSubject.splice(MAX_OF_SUBJECT);
  const known = new Set([...ofSubject, ...used.filter((digest) => digest !== '')]);
  if (results.length === 0 && known.size === 0) {
    throw new VerifierError('ERR_VERIFIER_NOT_FOUND', 'nothing is known of this digest, container or kube node');
  }
  const { references, referencesLeftOut } = packReferences([...known], deps);
  return create(ExplainResponseSchema, {
    results,
    references,
    resultsLeftOut,
    referencesLeftOut: referencesLeftOut + older.length,
  });
}

function packResults(subject: string, deps: ExplainDeps): { results: Result[]; resultsLeftOut: number } {
  const byLabel = deps.results.findByLabel(subject);
  const byEvidence = deps.results.findByEvidence(subject);
  const known = [byLabel, byEvidence].filter((stored) => stored !== undefined);
  let left = deps.maxMessageBytes * RESULT_SHARE;
  const results: Result[] = [];
  for (const stored of listFound(subject, known, deps)) {
    const result = deps.toResult(stored);
    left -= toBinary(ResultSchema, result).length;
    // One alone may take more than its share: it was made to fit into a message.
    if (results.length === MAX_RESULTS || (left < 0 && results.length > 0)) break;
    results.push(result);
  }
  const total = known.length + deps.results.countByName(subject);
  return { results, resultsLeftOut: total - results.length };
}

/** One after another: together they may take more memory than there is. */
function* listFound(
  subject: string,
  known: readonly StoredResult[],
  { results }: ExplainDeps,
): Generator<StoredResult> {
  yield* known;
  yield* results.findByContainer(subject, MAX_RESULTS + 1);
  yield* results.findByManifest(subject, MAX_RESULTS + 1);
}

function packReferences(digests: readonly string[], { references: store, maxMessageBytes }: ExplainDeps) {
  const references: ReferenceUse[] = [];
  let left = maxMessageBytes * (1 - RESULT_SHARE) - 1024;
  let referencesLeftOut = 0;
  for (const digest of digests) {
    const reference = store.findReference(digest);
    if (reference === undefined) continue;
    const { predicateType, keyId, subjectDigest } = reference;
    const use = create(ReferenceUseSchema, { digest, predicateType, keyId, subjectDigest });
    left -= toBinary(ReferenceUseSchema, use).length + 8;
    if (left < 0 || references.length === MAX_REFERENCES) referencesLeftOut += 1;
    else references.push(use);
  }
  return { references, referencesLeftOut };
}
