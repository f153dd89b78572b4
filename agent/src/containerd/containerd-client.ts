import { createHash } from 'node:crypto';
import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@grpc/grpc-js';
import { callUnary, openServerStream } from '@holdfast/proto';
import {
  containers,
  content,
  images,
  introspection,
  namespaces,
  snapshots,
  type task,
  tasks,
  version,
} from '@holdfast/proto/containerd';
import { AgentError } from '../agent-error.ts';
import {
  checkContainerdSocket,
  createNamespaceInterceptor,
  isNotFound,
  openContainerdChannel,
  toRuntimeError,
} from './containerd-channel.ts';
import { type ContainerdSubscription, subscribeEvents } from './containerd-events.ts';

/** Most rows taken of any list: far beyond a kube node, below what would exhaust the agent. */
const MAX_ROWS = 20_000;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Where the runtime keeps its stores, as its plugins say. */
export interface ContainerdRoots {
  /** Directory with `blobs/sha256`; undefined where the content store does not tell. */
  readonly content: string | undefined;
}

/**
 * Reads containerd's own API. Every call has a deadline and throws `AgentError` with a code of ERR_AGENT_RUNTIME_*; what
 * the runtime does not know is `undefined`. Answers are the runtime's word and trusted no further than its socket.
 */
export interface ContainerdClient {
  readonly address: string;
  /** Checks socket, permission and service, in that order. */
  probe(): Promise<{ version: string; revision: string }>;
  listNamespaces(): Promise<string[]>;
  listContainers(namespace: string): Promise<containers.Container[]>;
  listTasks(namespace: string): Promise<task.Process[]>;
  /** Every process of the container's cgroup. */
  listPids(namespace: string, id: string): Promise<number[]>;
  statSnapshot(namespace: string, snapshotter: string, key: string): Promise<snapshots.Info | undefined>;
  listMounts(
    namespace: string,
    snapshotter: string,
    key: string,
  ): Promise<snapshots.MountsResponse['mounts'] | undefined>;
  getImage(namespace: string, name: string): Promise<images.Image | undefined>;
  listImages(namespace: string): Promise<images.Image[]>;
  /** Blobs with a label of this value. */
  listBlobs(namespace: string, label: string, value: string): Promise<content.Info[]>;
  /** Whole blob of at most `maxBytes`, whose SHA-256 was recomputed. */
  readBlob(namespace: string, digest: string, maxBytes: number): Promise<Buffer | undefined>;
  /** The bytes of a blob as they come, without a deadline; the caller checks the digest. */
  streamBlob(namespace: string, digest: string): AsyncIterable<Uint8Array>;
  readRoots(): Promise<ContainerdRoots>;
  subscribe: ContainerdSubscription;
  close(): void;
}

export interface ContainerdClientOptions {
  readonly address: string;
  /** Longest time of one call, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
  /** Lists only the containers for whose id this is true; all where absent. */
  readonly selects?: ((id: string) => boolean) | undefined;
}

/** Creates a client of the containerd that listens at a socket. Nothing is sent before the first call. */
export function createContainerdClient(options: ContainerdClientOptions): ContainerdClient {
  if (!options.address.startsWith('/')) throw new TypeError('the address of containerd is an absolute path');
  return new GrpcContainerdClient(options.address, options.deadlineMs ?? 10_000, options.selects ?? (() => true));
}

class GrpcContainerdClient implements ContainerdClient {
  readonly address: string;
  readonly subscribe: ContainerdSubscription;
  readonly #channel: Client;
  readonly #deadlineMs: number;
  readonly #selects: (id: string) => boolean;

  constructor(address: string, deadlineMs: number, selects: (id: string) => boolean) {
    this.address = address;
    this.#selects = selects;
    this.#channel = openContainerdChannel(address);
    this.#deadlineMs = deadlineMs;
    this.subscribe = (onEvent, onGap) => subscribeEvents(this.#channel, onEvent, onGap);
  }

  async probe() {
    await checkContainerdSocket(this.address);
    const { method } = version.Version;
    const answer = await this.#call(method.version, {}).catch((cause: unknown) => {
      if (cause instanceof AgentError && cause.code === 'ERR_AGENT_RUNTIME_PERMISSION') throw cause;
      const message = `something listens at ${this.address}, but it does not answer as containerd does`;
      throw new AgentError('ERR_AGENT_RUNTIME_SERVICE', message, { cause });
    });
    return { version: answer.version, revision: answer.revision };
  }

  async listNamespaces() {
    const answer = await this.#call(namespaces.Namespaces.method.list, {});
    return this.#limit(answer.namespaces).map((row) => row.name);
  }

  async listContainers(namespace: string) {
    const rows = await this.#collect(containers.Containers.method.listStream, {}, namespace);
    return rows.flatMap((row) => row.container ?? []).filter((row) => this.#selects(row.id));
  }

  async listTasks(namespace: string) {
    return this.#limit((await this.#call(tasks.Tasks.method.list, {}, namespace)).tasks);
  }

  async listPids(namespace: string, containerId: string) {
    const answer = await this.#find(tasks.Tasks.method.listPids, { containerId }, namespace);
    return this.#limit(answer?.processes ?? []).map((row) => row.pid);
  }

  async statSnapshot(namespace: string, snapshotter: string, key: string) {
    return (await this.#find(snapshots.Snapshots.method.stat, { snapshotter, key }, namespace))?.info;
  }

  async listMounts(namespace: string, snapshotter: string, key: string) {
    return (await this.#find(snapshots.Snapshots.method.mounts, { snapshotter, key }, namespace))?.mounts;
  }

  async getImage(namespace: string, name: string) {
    return (await this.#find(images.Images.method.get, { name }, namespace))?.image;
  }

  async listImages(namespace: string) {
    return this.#limit((await this.#call(images.Images.method.list, {}, namespace)).images);
  }

  async listBlobs(namespace: string, label: string, value: string) {
    const filters = [`labels.${JSON.stringify(label)}==${JSON.stringify(value)}`];
    return (await this.#collect(content.Content.method.list, { filters }, namespace)).flatMap((row) => row.info);
  }

  async readBlob(namespace: string, digest: string, maxBytes: number) {
    if (!DIGEST.test(digest)) return undefined;
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of this.#openBlob(digest, this.#options(namespace))) {
        size += chunk.length;
        if (size > maxBytes) throw this.#dataError(`blob ${digest} has more than ${maxBytes} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw toRuntimeError(this.address, error);
    }
    const bytes = Buffer.concat(chunks);
    if (`sha256:${createHash('sha256').update(bytes).digest('hex')}` !== digest) {
      throw this.#dataError(`blob ${digest} in the content store has another digest`);
    }
    return bytes;
  }

  streamBlob(namespace: string, digest: string) {
    return this.#openBlob(digest, { interceptors: [createNamespaceInterceptor(namespace)] });
  }

  async *#openBlob(digest: string, options: CallOptions) {
    const stream = openServerStream(this.#channel, content.Content.method.read, { digest }, options);
    try {
      for await (const message of stream) yield readChunk(message);
    } finally {
      stream.cancel();
    }
  }

  async readRoots() {
    const { plugins } = await this.#call(introspection.Introspection.method.plugins, {});
    const store = plugins.find((plugin) => plugin.type === 'io.containerd.content.v1');
    return { content: store?.exports['root'] };
  }

  close() {
    this.#channel.close();
  }

  #options(namespace: string | undefined): CallOptions {
    const deadline = Date.now() + this.#deadlineMs;
    return namespace === undefined ? { deadline } : { deadline, interceptors: [createNamespaceInterceptor(namespace)] };
  }

  async #call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    namespace?: string,
  ): Promise<MessageShape<O>> {
    try {
      return await callUnary(this.#channel, method, request, this.#options(namespace));
    } catch (error) {
      throw toRuntimeError(this.address, error);
    }
  }

  async #find<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    namespace: string,
  ): Promise<MessageShape<O> | undefined> {
    try {
      return await callUnary(this.#channel, method, request, this.#options(namespace));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw toRuntimeError(this.address, error);
    }
  }

  async #collect<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    namespace: string,
  ): Promise<MessageShape<O>[]> {
    const rows: MessageShape<O>[] = [];
    const stream = openServerStream(this.#channel, method, request, this.#options(namespace));
    try {
      for await (const row of stream) {
        rows.push(row);
        this.#limit(rows);
      }
    } catch (error) {
      throw toRuntimeError(this.address, error);
    } finally {
      stream.cancel();
    }
    return rows;
  }

  #limit<T>(rows: T[]): T[] {
    if (rows.length > MAX_ROWS) throw this.#dataError(`a list has more than ${MAX_ROWS} rows`);
    return rows;
  }

  #dataError(detail: string): AgentError {
    return new AgentError('ERR_AGENT_RUNTIME_DATA', `containerd at ${this.address}: ${detail}`);
  }
}

function readChunk(message: unknown): Uint8Array {
  if (typeof message === 'object' && message !== null && 'data' in message && message.data instanceof Uint8Array) {
    return message.data;
  }
  throw new TypeError('a read answer has data');
}
