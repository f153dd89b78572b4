import { create } from '@bufbuild/protobuf';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import {
  AttestationService,
  type AttesterMessage,
  AttestResponseSchema,
  ReferenceService,
  ResultService,
  type VerifierMessage,
} from '@holdfast/proto';
import type { Logger } from 'pino';
import { loadVerifierKeys } from './certificates/verifier-keys.ts';
import { openTrustSource } from './config/trust-source.ts';
import type { VerifierConfig } from './config/verifier-config.ts';
import { createOperatorRoutes } from './enrolment/operator-routes.ts';
import { openStores } from './open-stores.ts';
import { createReferenceRoutes } from './reference-book/reference-service.ts';
import { createResultRoutes } from './results/result-service.ts';
import type { RunningVerifier } from './running-verifier.ts';
import { type ListeningServer, startGrpcServer } from './server/grpc-server.ts';
import type { MessagePort } from './server/message-port.ts';
import { createGate, createRateLimiter } from './server/rate-limiter.ts';
import { createBidiRoute, type Guard } from './server/routes.ts';
import { loadTlsFiles, type TlsFiles } from './server/tls-source.ts';
import { startAgentSubscription } from './session/agent-subscription.ts';
import { type CoreDeps, createVerifierCore, type VerifierCore } from './verifier-core.ts';
import { createVerifierLog, describeError } from './verifier-log.ts';
import { startWatches } from './watches.ts';

/** What a caller may hand in; everything that is left out is made from the settings. */
export interface VerifierDeps {
  readonly logger?: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

type Closer = () => Promise<void> | void;

const GRACE_MS = 2_000;
const MAX_PEERS = 100_000;
/** A connection has one peer, and a peer few streams at once. */
const STREAMS_PER_CONNECTION_FACTOR = 2;
/** What one peer may send at once after a pause, in seconds of its rate. */
const BURST_SECONDS = 10;

/**
 * Starts a verifier: loads or makes its keys, opens the store, reads the trust file and the references, serves, and
 * dials the agents that it subscribes to. Resolves once the port listens and the directory of references was read.
 *
 * Throws `VerifierError` with a sentence for each thing that is missing or wrong.
 */
export async function startVerifier(config: VerifierConfig, deps: VerifierDeps = {}): Promise<RunningVerifier> {
  const closers: Closer[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll(closers);
    return closing;
  };
  try {
    return { listenAddress: await compose(config, deps, closers), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function compose(config: VerifierConfig, deps: VerifierDeps, closers: Closer[]): Promise<string> {
  // The library writes to standard error by itself; what it would say comes back as errors.
  setLogVerbosity(logVerbosity.NONE);
  const log = deps.logger ?? createVerifierLog(config);
  const now = deps.now ?? Date.now;
  const tls = await loadTlsFiles(config.tls);
  const keys = await loadVerifierKeys(config.stateDir, config.verifierId);
  const stores = openStores(config.stateDir);
  closers.push(() => stores.database.close());
  const trust = await openTrustSource(config.trustFile, stores.meta);
  const coreDeps: CoreDeps = { config, log, stores, trust, keys, now, sharesCommits: true };
  const core = createVerifierCore(coreDeps);
  closers.push(() => core.close());
  closers.push(await startWatches(core, coreDeps));
  const { server, stop } = await startServer(core, coreDeps, tls);
  closers.push(() => server.close(GRACE_MS), stop);
  closers.push(...startSubscriptions(core, coreDeps, tls));
  log.info({ listenAddress: server.listenAddress, trustVersion: trust.current().version }, 'verifier listens');
  return server.listenAddress;
}

async function startServer(
  core: VerifierCore,
  { config, log, stores, now }: CoreDeps,
  tls: TlsFiles,
): Promise<{ server: ListeningServer; stop: () => void }> {
  const ending = new AbortController();
  const guard: Guard = {
    messages: createRateLimiter({
      perSecond: config.maxMessagesPerSecond,
      burst: config.maxMessagesPerSecond * BURST_SECONDS,
      monotonicMs: () => performance.now(),
      maxKeys: MAX_PEERS,
    }),
    streams: createGate(config.maxStreamsPerPeer),
    signal: ending.signal,
    onError: (error, method) => log.error({ method, ...describeError(error) }, 'call failed'),
  };
  const { results, references } = stores;
  const { feed, book, desk } = core;
  const { staleAfterMs, maxMessageBytes } = config;
  const resultDeps = { results, references, feed, guard, now, staleAfterMs, maxMessageBytes };
  const server = await startGrpcServer({
    listen: config.listen,
    tls,
    maxMessageBytes,
    maxConcurrentStreams: config.maxStreamsPerPeer * STREAMS_PER_CONNECTION_FACTOR,
    services: [
      { service: AttestationService, routes: createAttestationRoutes(core, guard) },
      {
        service: ResultService,
        routes: [...createResultRoutes(resultDeps), ...createOperatorRoutes(desk, guard)],
      },
      { service: ReferenceService, routes: createReferenceRoutes({ book, store: references, guard }) },
    ],
  });
  return { server, stop: () => ending.abort() };
}

function createAttestationRoutes(core: VerifierCore, guard: Guard) {
  return [
    createBidiRoute(AttestationService.method.enroll, ['agent'], guard, (port) => core.enrol(port)),
    createBidiRoute(AttestationService.method.attest, ['agent'], guard, async (port) => {
      const inner: MessagePort<AttesterMessage, VerifierMessage> = {
        peerSpki: port.peerSpki,
        identify: (name) => port.identify(name),
        receive: async (timeoutMs) => {
          const request = await port.receive(timeoutMs);
          return request === undefined || request === 'timeout' ? request : request.message;
        },
        send: async (message) => await port.send(create(AttestResponseSchema, { message })),
      };
      await core.converse(inner);
    }),
  ];
}

function startSubscriptions(core: VerifierCore, { config, log }: CoreDeps, tls: TlsFiles): Closer[] {
  return config.subscriptions.map(({ address }) => {
    const subscription = startAgentSubscription({
      address,
      tls,
      maxMessageBytes: config.maxMessageBytes,
      random: Math.random,
      converse: (port, adopt) => core.converse(port, adopt),
      adopt: (snapshot, request) => core.adopt(snapshot, request),
      onEnded: (error, retryMs) => {
        log.warn({ address, retryMs, ...(error === undefined ? {} : describeError(error)) }, 'subscription ended');
      },
    });
    return () => subscription.close();
  });
}

/** The last one first; one that fails does not keep the others from ending. */
async function closeAll(closers: readonly Closer[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'the verifier did not end cleanly');
}
