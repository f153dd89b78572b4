import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { EventEmitter, getEventListeners, once } from 'node:events';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { ResultService, WatchResultsRequestSchema, WatchResultsResponseSchema } from '@holdfast/proto';
import * as x509 from '@peculiar/x509';
import { createGate, createRateLimiter } from './rate-limiter.ts';
import { createServerStreamRoute, type Guard } from './routes.ts';
import { waitForDrain } from './wait-for-drain.ts';

const EVENTS = ['drain', 'close', 'error'] as const;

class FakeStream extends EventEmitter {
  destroyed = false;
  readonly count = () => EVENTS.reduce((sum, event) => sum + this.listenerCount(event), 0);
}

test('each end of a wait leaves no listener behind', async () => {
  for (const end of [...EVENTS, 'abort'] as const) {
    const stream = new FakeStream();
    const ending = new AbortController();
    const waiting = waitForDrain(stream, ending.signal);
    assert.equal(stream.count(), 3);
    if (end === 'abort') ending.abort();
    else stream.emit(end);
    await waiting;
    assert.equal(stream.count(), 0, end);
    assert.equal(getEventListeners(ending.signal, 'abort').length, 0, end);
  }
});

test('nobody waits for a stream, or a signal, that has ended', async () => {
  const [stream, ended] = [new FakeStream(), AbortSignal.abort()];
  await waitForDrain(stream, ended);
  stream.destroyed = true;
  await waitForDrain(stream, new AbortController().signal);
  assert.equal(stream.count(), 0);
});

/** A call of an operator that takes each message, but says each time that it wants no more for now. */
class SlowCall extends EventEmitter {
  readonly request = toBinary(WatchResultsRequestSchema, create(WatchResultsRequestSchema));
  readonly cancelled = false;
  readonly destroyed = false;
  readonly getAuthContext: () => object;

  constructor(certificate: ArrayBuffer) {
    super();
    this.getAuthContext = () => ({ sslPeerCertificate: { raw: Buffer.from(certificate) } });
  }

  write(): boolean {
    setImmediate(() => this.emit('drain'));
    return false;
  }

  end(): void {
    this.emit('end');
  }
}

async function issueOperator(): Promise<ArrayBuffer> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const role = { type: 'url' as const, value: 'urn:holdfast:role:operator' };
  const extensions = [new x509.SubjectAlternativeNameExtension([role])];
  const fields = { name: 'CN=operator', keys, extensions, signingAlgorithm: algorithm };
  return (await x509.X509CertificateGenerator.createSelfSigned(fields)).rawData;
}

test('a stream of results to who reads slowly gathers no listeners', async () => {
  const guard: Guard = {
    messages: createRateLimiter({ perSecond: 10, burst: 10, monotonicMs: () => 0, maxKeys: 10 }),
    streams: createGate(2),
    onError: (error) => assert.fail(String(error)),
    signal: new AbortController().signal,
  };
  const counts: number[] = [];
  const route = createServerStreamRoute(
    ResultService.method.watchResults,
    ['operator'],
    guard,
    async function* (_request, signal) {
      for (let at = 0; at < 5; at += 1) {
        counts.push(getEventListeners(signal, 'abort').length);
        yield create(WatchResultsResponseSchema);
      }
    },
  );
  const call = new SlowCall(await issueOperator());
  const ended = once(call, 'end');
  Reflect.apply(route.handle, undefined, [call]);
  await ended;
  assert.deepEqual(counts, [0, 0, 0, 0, 0]);
});
