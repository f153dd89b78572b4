import { usageError } from './cli-error.ts';
import type { ClientConfig } from './client-config.ts';
import type { Invocation, OptionSpec } from './command.ts';

/** Where the runtimes of this machine are found: containerd's socket, a store of podman or CRI-O, or both. */
export interface RuntimeChoice {
  readonly address?: string;
  readonly containersStorage?: { readonly root: string; readonly runRoot: string };
}

const DEFAULT_ADDRESS = '/run/containerd/containerd.sock';
const STORAGE = 'containers-storage';
const DEFAULT_STORAGE = { root: '/var/lib/containers/storage', runRoot: '/run/containers/storage' };

export const RUNTIME_OPTION: OptionSpec = {
  type: 'string',
  value: 'SOCKET',
  help: `socket of containerd, or ${STORAGE}[:ROOT+RUNROOT] for podman and CRI-O; else the settings, else ${DEFAULT_ADDRESS}`,
};

/** The runtime by flag, by the settings of the agent, or the usual socket. */
export async function chooseRuntime({ flags }: Invocation): Promise<RuntimeChoice> {
  const text = flags.text('runtime');
  if (text !== undefined) return parseRuntimeFlag(text);
  const { loadConfigFor } = await import('./client-config.ts');
  return readRuntimeSetting(await loadConfigFor(flags)) ?? { address: DEFAULT_ADDRESS };
}

/** Reads the value of `--runtime`. Throws a usage error for what is neither a path nor a store. */
export function parseRuntimeFlag(text: string): RuntimeChoice {
  if (text === STORAGE) return { containersStorage: DEFAULT_STORAGE };
  if (text.startsWith(`${STORAGE}:`)) {
    const [root = '', runRoot = '', ...more] = text.slice(STORAGE.length + 1).split('+');
    if (!root.startsWith('/') || !runRoot.startsWith('/') || more.length > 0) {
      throw usageError(`--runtime ${STORAGE}: takes two directories with a slash at the front and a plus between them`);
    }
    return { containersStorage: { root, runRoot } };
  }
  if (!text.startsWith('/')) throw usageError(`--runtime takes the path of a socket with a slash at the front`);
  return { address: text };
}

/** For people: the socket, the store, or both. */
export function describeRuntimeChoice({ address, containersStorage }: RuntimeChoice): string {
  const store = containersStorage === undefined ? [] : [containersStorage.root];
  return [...(address === undefined ? [] : [address]), ...store].join(', ');
}

function readRuntimeSetting({ serve }: ClientConfig): RuntimeChoice | undefined {
  const address = readText(serve.agent['runtime'], 'containerd');
  const store = readField(serve.agent['runtime'], STORAGE_SETTING);
  const [root, runRoot] = [readText(store, 'root'), readText(store, 'runRoot')];
  const hasStore = root !== undefined && runRoot !== undefined;
  if (address === undefined && !hasStore) return undefined;
  return {
    ...(address === undefined ? {} : { address }),
    ...(hasStore ? { containersStorage: { root, runRoot } } : {}),
  };
}

const STORAGE_SETTING = 'containersStorage';

function readField(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return new Map(Object.entries(value)).get(name);
}

function readText(value: unknown, name: string): string | undefined {
  const field = readField(value, name);
  return typeof field === 'string' ? field : undefined;
}
