import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { AttestationService, AttestRequestSchema } from '@holdfast/proto';
import type { IssuedFiles } from '../dev-ca/create-dev-ca.ts';

/** What one process of clients is to do. */
export interface ClientOrder {
  readonly address: string;
  readonly tls: IssuedFiles;
  readonly nodes: readonly { readonly label: string; readonly ueid: string }[];
}

/** What it has got: streams that were answered, answers in all, and streams that ended. */
export interface ClientReport {
  readonly held: number;
  readonly answers: number;
  readonly ended: number;
  readonly lastError: string;
}

const AT_ONCE = 32;
const REPORT_MS = 500;
const PATH = `/${AttestationService.typeName}/${AttestationService.method.attest.name}`;

/**
 * Many agents in one process: a TLS connection and an Attest stream each, over bare HTTP/2, since ten thousand channels of
 * a gRPC library would measure that library.
 */
class Clients {
  #held = 0;
  #answers = 0;
  #ended = 0;
  #lastError = '';
  /** Kept, or they would be collected and end. */
  readonly #open = new Set<ClientHttp2Session>();

  get report(): ClientReport {
    return { held: this.#held, answers: this.#answers, ended: this.#ended, lastError: this.#lastError };
  }

  async openAll({ address, tls, nodes }: ClientOrder): Promise<void> {
    const options = { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
    let next = 0;
    const work = async (): Promise<void> => {
      for (let node = nodes[next]; node !== undefined; node = nodes[next]) {
        next += 1;
        await this.#openOne(connect(`https://${address}`, options), node);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async #openOne(session: ClientHttp2Session, node: ClientOrder['nodes'][number]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.add(session);
    session.on('error', (error) => {
      this.#lastError = error.message;
    });
    session.once('close', () => {
      this.#ended += 1;
      resolve();
    });
    const stream = session.request(
      { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
    this.#listen(stream, session, resolve);
    stream.write(frameHello(node));
    await promise;
  }

  #listen(stream: ClientHttp2Stream, session: ClientHttp2Session, onAnswer: () => void): void {
    let isHeld = false;
    stream.on('error', () => undefined);
    stream.on('trailers', (trailers) => {
      this.#lastError = `${String(trailers['grpc-status'])} ${String(trailers['grpc-message'])}`;
    });
    stream.on('data', () => {
      this.#answers += 1;
      if (!isHeld) this.#held += 1;
      isHeld = true;
      onAnswer();
    });
    stream.on('close', () => session.close());
  }
}

/** One gRPC message: no compression, four bytes of length, the message. */
function frameHello({ label, ueid }: ClientOrder['nodes'][number]): Buffer {
  const value = { kubeNode: label, ueid, agentVersion: '0.1.0' };
  const message = create(AttestRequestSchema, { message: { message: { case: 'hello', value } } });
  const body = toBinary(AttestRequestSchema, message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

process.on('message', (order: ClientOrder) => {
  const clients = new Clients();
  setInterval(() => process.send?.(clients.report), REPORT_MS);
  void clients.openAll(order);
});
