import { readFile } from 'node:fs/promises';
import type { DescService } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { createServiceDefinition } from '@holdfast/proto';
import { type CliError, undecided, usageError } from './cli-error.ts';
import type { ClientConfig } from './client-config.ts';
import { explainFileError } from './input-file.ts';

/** Largest message that the command line accepts: a round with all its documents. */
const MAX_MESSAGE_BYTES = 64 << 20;

export interface Peer {
  /** agent or verifier, for sentences. */
  readonly role: 'agent' | 'verifier';
  readonly address: string;
}

/** Chooses the peer's address: the flag, else the settings. */
export function choosePeer(role: Peer['role'], flag: string | undefined, config: ClientConfig): Peer {
  const address = flag ?? config[role];
  if (address === null || address === undefined) {
    throw usageError(
      `no ${role} address: give --${role} HOST:PORT, or settings with one (--config, or scripts/quickstart --keep makes some)`,
    );
  }
  if (!/^(\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d{1,5}$/.test(address)) {
    throw usageError(`"${address}" is no address; write HOST:PORT`);
  }
  return { role, address };
}

/** Opens a client with mutual TLS. The caller closes it. */
export async function connect(service: DescService, peer: Peer, config: ClientConfig): Promise<grpc.Client> {
  if (config.tls === null) {
    throw usageError(`the ${peer.role} speaks mutual TLS only: settings need tls.ca, tls.cert and tls.key (--config)`);
  }
  const [ca, cert, key] = await Promise.all([config.tls.ca, config.tls.cert, config.tls.key].map(readTlsFile));
  const Client = grpc.makeGenericClientConstructor(createServiceDefinition(service), service.name);
  try {
    const credentials = grpc.credentials.createSsl(ca, key, cert);
    return new Client(peer.address, credentials, {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': 30_000,
    });
  } catch (error) {
    throw undecided(`the TLS files of the settings are not a certificate and its key: ${config.tls.cert}`, error);
  }
}

async function readTlsFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw undecided(explainFileError(path, error), error);
  }
}

/** Turns what grpc-js throws into a sentence that says what to do. */
export function explainGrpcError(peer: Peer, error: unknown): CliError {
  const status = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  const details = error instanceof Error && 'details' in error ? String(error.details) : String(error);
  const at = `${peer.role} at ${peer.address}`;
  switch (status) {
    case grpc.status.UNAVAILABLE:
      return undecided(`the ${at} cannot be reached: is it running, and do its TLS files fit? (${details})`, error);
    case grpc.status.PERMISSION_DENIED:
    case grpc.status.UNAUTHENTICATED:
      return undecided(`the ${at} refused this certificate: ${details}`, error);
    case grpc.status.DEADLINE_EXCEEDED:
      return undecided(`the ${at} did not answer in time`, error);
    case grpc.status.NOT_FOUND:
      return undecided(`the ${at} knows no such thing: ${details}`, error);
    case grpc.status.UNIMPLEMENTED:
      return undecided(`the ${at} does not serve this: is it a Holdfast ${peer.role} of this version?`, error);
    default:
      return undecided(`the ${at} answered with an error: ${details}`, error);
  }
}
