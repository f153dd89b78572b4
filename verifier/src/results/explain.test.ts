import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { AttestationStatus, ExplainResponseSchema, ResultSchema } from '@holdfast/proto';
import type { StoredResult } from '../store/result-store.ts';
import { type ExplainDeps, explain } from './explain.ts';
import { fitResult } from './fit-result.ts';

const MAX_BYTES = 1024 * 1024;

function store(label: string, earLength: number): StoredResult {
  const containers = [{ id: 'c1', sbomDigest: `sha256:${label}` }];
  const message = create(ResultSchema, {
    kubeNode: label,
    ear: 'e'.repeat(earLength),
    status: AttestationStatus.WARNING,
    containers,
  });
  const body = Buffer.from(toBinary(ResultSchema, message));
  return { ueid: label, label, appraisedAtMs: 1, body, lastGoodAtMs: 1, enrolledAtMs: 1 };
}

function createDeps(stored: readonly StoredResult[]): ExplainDeps & { readonly read: () => number } {
  let read = 0;
  function* list(limit: number) {
    for (const each of stored.slice(0, limit)) {
      read += 1;
      yield each;
    }
  }
  const subjectDigest = 'sha256:s';
  return {
    results: {
      findByLabel: () => undefined,
      findByEvidence: () => undefined,
      findByContainer: () => [],
      findByManifest: (_, limit) => list(limit),
      countByName: () => stored.length,
    },
    references: {
      findBySubject: () => [],
      findReference: (digest) => ({
        digest,
        envelope: Buffer.alloc(0),
        predicateType: 'p',
        subjectName: 's',
        subjectDigest,
        keyId: 'k',
        addedAtMs: 1,
        revokedAtMs: null,
        revocationReason: null,
      }),
    },
    toResult: ({ body }) => fitResult(body, MAX_BYTES),
    maxMessageBytes: MAX_BYTES,
    read: () => read,
  };
}

suite('all that is known of a subject', () => {
  test('goes into one message, and what does not is counted and not read', () => {
    const deps = createDeps(Array.from({ length: 40 }, (_, at) => store(`node-${at}`, 100_000)));
    const answer = explain('sha256:m', deps);
    assert.ok(toBinary(ExplainResponseSchema, answer).length < MAX_BYTES);
    assert.deepEqual([answer.results.length, answer.resultsLeftOut], [7, 33]);
    assert.equal(answer.references.length, 7);
    assert.ok(deps.read() <= 8);
  });

  test('is at most a hundred results', () => {
    const answer = explain('sha256:m', createDeps(Array.from({ length: 130 }, (_, at) => store(`n${at}`, 10))));
    assert.deepEqual([answer.results.length, answer.resultsLeftOut, answer.referencesLeftOut], [100, 30, 0]);
  });

  test('is all of it where there is room', () => {
    const answer = explain('sha256:m', createDeps([store('a', 10), store('b', 10)]));
    assert.deepEqual([answer.results.length, answer.resultsLeftOut, answer.referencesLeftOut], [2, 0, 0]);
  });
});

test('a result larger than a message is told without its signed form, with its status and what is missing', () => {
  const { body } = store('a', MAX_BYTES);
  const result = fitResult(body, MAX_BYTES);
  assert.deepEqual([result.status, result.ear, result.containers.length], [AttestationStatus.WARNING, '', 0]);
  assert.deepEqual(
    result.findings.map(({ code }) => code),
    ['FINDINGS_LIMITED', 'CONTAINERS_LIMITED'],
  );
  assert.equal(fitResult(body, body.length).ear.length, MAX_BYTES);
});
