import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { EvidenceError } from '@holdfast/evidence';
import { VerifierError } from '../verifier-error.ts';
import { createMessagePort } from './message-port.ts';
import { requireRole } from './peer.ts';
import { createGate, createRateLimiter, takePlace } from './rate-limiter.ts';
import { isInternal, toStatus } from './status.ts';

test('a bucket gives its burst, then its rate, and each key has its own', () => {
  let nowMs = 0;
  const limiter = createRateLimiter({ perSecond: 2, burst: 3, monotonicMs: () => nowMs, maxKeys: 10 });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limiter.take('a')),
    [true, true, true, false],
  );
  assert.equal(limiter.take('b'), true);
  nowMs = 500;
  assert.deepEqual([limiter.take('a'), limiter.take('a')], [true, false]);
  nowMs = 1_000_000;
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limiter.take('a')),
    [true, true, true, false],
  );
});

test('the buckets that are kept are bounded', () => {
  const limiter = createRateLimiter({ perSecond: 0, burst: 1, monotonicMs: () => 0, maxKeys: 2 });
  for (const key of ['a', 'b', 'c']) assert.equal(limiter.take(key), true);
  assert.equal(limiter.take('c'), false);
  assert.equal(limiter.take('a'), true);
});

test('a gate lets in as many as it has places, and a place is given back once', () => {
  const gate = createGate(2);
  const [first, second] = [gate.enter('a'), gate.enter('a')];
  assert.ok(first && second);
  assert.equal(gate.enter('a'), undefined);
  assert.ok(gate.enter('b'));
  first();
  first();
  assert.ok(gate.enter('a'));
  assert.equal(gate.enter('a'), undefined);
});

test('a place is held for one key at a time, and goes on where it is as long as the other one has none', () => {
  const gate = createGate(1);
  const [place, other] = [takePlace(gate, 'key'), takePlace(gate, 'key/a')];
  assert.ok(place && other);
  assert.equal(takePlace(gate, 'key'), undefined);
  assert.equal(place.move('key/a'), false);
  assert.equal(place.key, 'key');
  assert.equal(takePlace(gate, 'key'), undefined);
  other.leave();
  assert.equal(place.move('key/a'), true);
  assert.equal(place.move('key/a'), true);
  assert.equal(place.key, 'key/a');
  assert.ok(takePlace(gate, 'key'));
  assert.equal(takePlace(gate, 'key/a'), undefined);
  place.leave();
  place.leave();
  assert.ok(takePlace(gate, 'key/a'));
});

test('a peer needs one of the roles', () => {
  const peer = { spkiSha256: '', roles: new Set(['auditor'] as const) };
  requireRole(peer, ['operator', 'auditor']);
  assert.throws(() => requireRole(peer, ['operator']), { code: 'ERR_VERIFIER_ROLE' });
});

test('the status says whose fault it is and keeps inner failures to itself', () => {
  const cases: [error: unknown, code: status, details: RegExp][] = [
    [new EvidenceError('ERR_EVIDENCE_LIMIT', 'too long'), status.INVALID_ARGUMENT, /^ERR_EVIDENCE_LIMIT: too long$/],
    [new VerifierError('ERR_VERIFIER_ROLE', 'no'), status.PERMISSION_DENIED, /^ERR_VERIFIER_ROLE: no$/],
    [new VerifierError('ERR_VERIFIER_NOT_ENROLLED', 'no'), status.UNAUTHENTICATED, /^ERR_VERIFIER_NOT_ENROLLED/],
    [new VerifierError('ERR_VERIFIER_RATE', 'no'), status.RESOURCE_EXHAUSTED, /^ERR_VERIFIER_RATE/],
    [new VerifierError('ERR_VERIFIER_STORE', 'no'), status.UNAVAILABLE, /^ERR_VERIFIER_STORE/],
    [new Error('secret path /x'), status.INTERNAL, /^ERR_VERIFIER_INTERNAL: the verifier failed/],
    ['text', status.INTERNAL, /^ERR_VERIFIER_INTERNAL/],
  ];
  for (const [error, code, details] of cases) {
    assert.equal(toStatus(error).code, code);
    assert.match(toStatus(error).details, details);
    assert.equal(isInternal(error), code === status.INTERNAL || code === status.UNAVAILABLE);
  }
});

function createPort(signal = new AbortController().signal) {
  const stream = new PassThrough({ objectMode: true });
  const port = createMessagePort<number, string, number>(stream, {
    peerSpki: 'aa',
    signal,
    decode: (raw) => {
      if (raw < 0) throw new TypeError('refused');
      return `message ${raw}`;
    },
  });
  return { stream, port };
}

test('a port gives messages in order, then the end', async () => {
  const { stream, port } = createPort();
  await port.send(1);
  await port.send(2);
  assert.equal(await port.receive(1000), 'message 1');
  assert.equal(await port.receive(1000), 'message 2');
  stream.end();
  assert.equal(await port.receive(1000), undefined);
});

test('a receive that ran into its time loses nothing', async () => {
  const { port } = createPort();
  assert.equal(await port.receive(1), 'timeout');
  assert.equal(await port.receive(1), 'timeout');
  await port.send(7);
  assert.equal(await port.receive(1000), 'message 7');
});

test('what the decoder refuses is thrown where it is received', async () => {
  const { port } = createPort();
  await port.send(-1);
  await assert.rejects(port.receive(1000), TypeError);
});

test('a signal ends a port, also one that waits', async () => {
  const ending = new AbortController();
  const { port } = createPort(ending.signal);
  const waiting = port.receive(60_000);
  ending.abort();
  assert.equal(await waiting, undefined);
  assert.equal(await port.receive(60_000), undefined);
});

test('sending waits for a peer that does not read, and no longer than the stream lives', async () => {
  const stream = new PassThrough({ objectMode: true, highWaterMark: 1 });
  const options = { peerSpki: '', signal: new AbortController().signal, decode: (raw: number) => raw };
  const port = createMessagePort<number, number, number>(stream, options);
  await Promise.race([port.send(1), new Promise((resolve) => setTimeout(resolve, 10))]);
  const blocked = port.send(2);
  stream.destroy();
  await blocked;
  await port.send(3);
});
