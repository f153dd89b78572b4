import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { callUnary } from '@holdfast/proto';
import { type Container, type PodSandbox, RuntimeService } from '@holdfast/proto/cri';
import { AgentError } from '../agent-error.ts';
import { readInteger, readMember, readString } from '../container/json-value.ts';
import { openContainerdChannel, toRuntimeError } from '../containerd/containerd-channel.ts';

/** What the runtime behind the CRI says of one container beyond the interface's own fields; undefined where it does not. */
export interface CriDetail {
  readonly pid: number | undefined;
  readonly snapshotKey: string | undefined;
  readonly sandboxId: string | undefined;
}

/** Reads the Kubernetes container runtime interface. Every call has a deadline and throws `AgentError` ERR_AGENT_RUNTIME_*. */
export interface CriClient {
  /** False where another service listens at the socket. */
  isServed(): Promise<boolean>;
  listContainers(): Promise<readonly Container[]>;
  listSandboxes(): Promise<readonly PodSandbox[]>;
  describe(id: string): Promise<CriDetail>;
  close(): void;
}

const DEADLINE_MS = 10_000;
const MAX_ROWS = 20_000;
const INFO_LIMITS = { maxBytes: 8 << 20, maxDepth: 64, maxKeys: 200_000 };

/** Creates a client of the CRI that listens at a socket. Nothing is sent before the first call. */
export function createCriClient(address: string): CriClient {
  const channel = openContainerdChannel(address);
  const call = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> => {
    try {
      return await callUnary(channel, method, request, { deadline: Date.now() + DEADLINE_MS });
    } catch (error) {
      throw toRuntimeError(address, error);
    }
  };
  const { method } = RuntimeService;
  const isServed = async (): Promise<boolean> => {
    try {
      await call(method.version, {});
      return true;
    } catch (error) {
      return !(error instanceof AgentError && error.code === 'ERR_AGENT_RUNTIME_SERVICE');
    }
  };
  return {
    isServed,
    listContainers: async () => limit(address, (await call(method.listContainers, {})).containers),
    listSandboxes: async () => limit(address, (await call(method.listPodSandbox, {})).items),
    describe: async (containerId) => {
      const { info } = await call(method.containerStatus, { containerId, verbose: true });
      return readDetail(info['info'] ?? '{}');
    },
    close: () => channel.close(),
  };
}

function limit<T>(address: string, rows: readonly T[]): readonly T[] {
  if (rows.length <= MAX_ROWS) return rows;
  throw new AgentError('ERR_AGENT_RUNTIME_DATA', `the CRI at ${address} lists more than ${MAX_ROWS} rows`);
}

/** Reads the JSON of a verbose status; one that is malformed says nothing. */
export function readDetail(info: string): CriDetail {
  try {
    const value = parseStrictJson(info, INFO_LIMITS);
    return {
      pid: readInteger(readMember(value, 'pid')),
      snapshotKey: readString(readMember(value, 'snapshotKey')),
      sandboxId: readString(readMember(value, 'sandboxID')),
    };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { pid: undefined, snapshotKey: undefined, sandboxId: undefined };
  }
}
