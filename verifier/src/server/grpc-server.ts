import type { DescService } from '@bufbuild/protobuf';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { VerifierError } from '../verifier-error.ts';
import { addHealthService } from './health-service.ts';
import { createRawDefinition, type Route } from './routes.ts';
import type { TlsFiles } from './tls-source.ts';

export interface GrpcServerOptions {
  /** host:port; port 0 lets the kernel choose. */
  readonly listen: string;
  readonly tls: TlsFiles;
  /** As grpc.max_receive_message_length of gRPC core. */
  readonly maxMessageBytes: number;
  /** For one connection; as grpc.max_concurrent_streams of gRPC core. */
  readonly maxConcurrentStreams: number;
  readonly services: readonly { readonly service: DescService; readonly routes: readonly Route[] }[];
}

/** A server that listens. */
export interface ListeningServer {
  readonly listenAddress: string;
  /** Lets calls end for `graceMs`, then ends them. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves the routes over TLS with client certificates, and the standard health service. A method without a route answers
 * UNIMPLEMENTED. Throws `VerifierError` ERR_VERIFIER_LISTEN when the address cannot be used.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<ListeningServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': options.maxMessageBytes,
    'grpc.max_concurrent_streams': options.maxConcurrentStreams,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.enable_channelz': 0,
  });
  for (const { service, routes } of options.services) {
    const handlers = Object.fromEntries(routes.map((route) => [route.name, route.handle]));
    server.addService(createRawDefinition(service, routes), handlers);
  }
  let closing = false;
  addHealthService(
    server,
    options.services.map(({ service }) => service.typeName),
    () => !closing,
  );
  const { ca, cert, key } = options.tls;
  const credentials = ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
  const port = await bind(server, options.listen, credentials);
  return {
    listenAddress: options.listen.replace(/:\d+$/, `:${port}`),
    close: async (graceMs) => {
      closing = true;
      await shutDown(server, graceMs);
    },
  };
}

async function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (error === null) return resolve(port);
      server.forceShutdown();
      const busy = /EADDRINUSE|in use/i.test(error.message);
      const reason = busy ? 'another program uses it; choose another with "listen"' : error.message;
      return reject(
        new VerifierError('ERR_VERIFIER_LISTEN', `cannot listen on ${listen}: ${reason}`, { cause: error }),
      );
    });
  });
}

async function shutDown(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    server.forceShutdown();
    resolve();
  }, graceMs);
  server.tryShutdown(() => resolve());
  await promise;
  clearTimeout(timer);
}
