import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { AgentError, parseAgentConfig, startAgent } from '@holdfast/agent';
import { CliError, EXIT, undecided } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import { type Command, type Flags, integerFlag } from '../command.ts';
import { parseRuntimeFlag, RUNTIME_OPTION } from '../runtime-choice.ts';
import { overrideSetting, serveUntilStopped } from '../serve.ts';

export const agent: Command = {
  name: 'agent',
  summary: 'run the agent of this node (root)',
  positionals: '',
  arity: [0, 0],
  options: {
    node: { type: 'string', value: 'NAME', help: 'label of the kube node; else the settings, else the host name' },
    tpm: { type: 'string', value: 'TCTI|none', help: 'device:/dev/tpmrm0, swtpm:path=SOCKET, …; default the device' },
    runtime: { ...RUNTIME_OPTION, value: 'SOCKET|none' },
    verifier: { type: 'string', value: 'HOST:PORT', help: 'verifier that the agent dials' },
    listen: { type: 'string', value: 'HOST:PORT', help: "the agent's own port; 0 lets the kernel choose" },
    'state-dir': { type: 'string', value: 'DIR', help: 'key blobs and chain head; default /var/lib/holdfast' },
    'host-root': { type: 'string', value: 'DIR', help: "where the host's / is mounted; default /" },
    'tls-ca': { type: 'string', value: 'FILE', help: 'PEM of the CA of the peers' },
    'tls-cert': { type: 'string', value: 'FILE', help: 'PEM of the certificate with role agent' },
    'tls-key': { type: 'string', value: 'FILE', help: 'PEM of its key' },
    'heartbeat-ms': { type: 'string', value: 'N', help: 'time between rounds when nothing changes; default 60000' },
    'log-level': { type: 'string', value: 'LEVEL', help: 'trace, debug, info, warn, error or silent' },
  },
  run: async (invocation) => {
    const client = await loadConfigFor(invocation.flags);
    const settings = applyFlags({ ...client.serve.agent }, invocation.flags);
    try {
      const running = await startAgent(parseAgentConfig(settings));
      await serveUntilStopped('agent', running, invocation);
      return EXIT.good;
    } catch (error) {
      throw explainAgentError(error);
    }
  },
};

function applyFlags(settings: Record<string, unknown>, flags: Flags): Record<string, unknown> {
  const path = (name: string) => {
    const text = flags.text(name);
    return text === undefined ? undefined : resolve(text);
  };
  const tpm = flags.text('tpm');
  const runtime = flags.text('runtime');
  overrideSetting(settings, ['kubeNode'], flags.text('node') ?? settings['kubeNode'] ?? hostname());
  overrideSetting(settings, ['tpm'], tpm === 'none' ? 'none' : undefined);
  overrideSetting(settings, ['tpm', 'tcti'], tpm === 'none' ? undefined : tpm);
  settings['tpm'] ??= { tcti: 'device:/dev/tpmrm0' };
  overrideSetting(settings, ['runtime'], runtime === 'none' ? 'none' : undefined);
  if (runtime !== undefined && runtime !== 'none') applyRuntime(settings, runtime);
  settings['runtime'] ??= { containerd: '/run/containerd/containerd.sock' };
  overrideSetting(settings, ['verifier', 'address'], flags.text('verifier'));
  overrideSetting(settings, ['listen'], flags.text('listen'));
  overrideSetting(settings, ['stateDir'], path('state-dir') ?? settings['stateDir'] ?? '/var/lib/holdfast');
  overrideSetting(settings, ['hostRoot'], path('host-root'));
  for (const name of ['ca', 'cert', 'key']) overrideSetting(settings, ['tls', name], path(`tls-${name}`));
  overrideSetting(settings, ['heartbeatMs'], integerFlag(flags, 'heartbeat-ms', { min: 100, max: 86_400_000 }));
  overrideSetting(settings, ['logLevel'], flags.text('log-level'));
  return settings;
}

/** A socket takes the place of the socket in the settings, a store that of the store. */
function applyRuntime(settings: Record<string, unknown>, text: string): void {
  const { address, containersStorage } = parseRuntimeFlag(text.startsWith('containers-storage') ? text : resolve(text));
  overrideSetting(settings, ['runtime', 'containerd'], address);
  overrideSetting(settings, ['runtime', 'containersStorage'], containersStorage);
}

/** The agent's own errors already say what to do; a wrong setting is wrong use. */
export function explainAgentError(error: unknown): unknown {
  if (!(error instanceof AgentError)) return error;
  return error.code === 'ERR_AGENT_CONFIG'
    ? new CliError(EXIT.usage, error.message, { cause: error })
    : undecided(error.message, error);
}
