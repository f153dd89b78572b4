import { resolve } from 'node:path';
import { parseVerifierConfig, startVerifier, VerifierError } from '@holdfast/verifier';
import { CliError, EXIT, undecided } from '../cli-error.ts';
import { type ClientConfig, loadConfigFor } from '../client-config.ts';
import { type Command, type Flags, integerFlag } from '../command.ts';
import { overrideSetting, serveUntilStopped } from '../serve.ts';

export const verifier: Command = {
  name: 'verifier',
  summary: 'run the verifier',
  positionals: '',
  arity: [0, 0],
  options: {
    listen: {
      type: 'string',
      value: 'HOST:PORT',
      help: 'where agents and relying parties dial; 0 lets the kernel choose',
    },
    'state-dir': { type: 'string', value: 'DIR', help: 'keys and store; default /var/lib/holdfast-verifier' },
    trust: { type: 'string', value: 'FILE', help: 'trust file: keys, roles, pinned endorsement keys' },
    references: { type: 'string', value: 'DIR', help: 'signed SBOMs and provenance; watched' },
    subscribe: { type: 'string', value: 'HOST:PORT', multiple: true, help: 'agent to dial; may be given again' },
    'tls-ca': { type: 'string', value: 'FILE', help: 'PEM of the CA of the peers' },
    'tls-cert': { type: 'string', value: 'FILE', help: 'PEM of the certificate with role verifier' },
    'tls-key': { type: 'string', value: 'FILE', help: 'PEM of its key' },
    'stale-after-ms': { type: 'string', value: 'N', help: 'silence that makes a result stale; default 180000' },
    'log-level': { type: 'string', value: 'LEVEL', help: 'trace, debug, info, warn, error, fatal or silent' },
  },
  run: async (invocation) => {
    const client = await loadConfigFor(invocation.flags);
    const settings = applyFlags({ ...client.serve.verifier }, invocation.flags, client);
    try {
      const running = await startVerifier(parseVerifierConfig(settings));
      await serveUntilStopped('verifier', running, invocation);
      return EXIT.good;
    } catch (error) {
      throw explainVerifierError(error);
    }
  },
};

function applyFlags(settings: Record<string, unknown>, flags: Flags, client: ClientConfig): Record<string, unknown> {
  const path = (name: string) => {
    const text = flags.text(name);
    return text === undefined ? undefined : resolve(text);
  };
  const subscriptions = flags.texts('subscribe').map((address) => ({ address }));
  overrideSetting(settings, ['listen'], flags.text('listen') ?? settings['listen'] ?? '0.0.0.0:7443');
  overrideSetting(settings, ['stateDir'], path('state-dir') ?? settings['stateDir'] ?? '/var/lib/holdfast-verifier');
  overrideSetting(settings, ['trustFile'], path('trust') ?? settings['trustFile'] ?? client.trust ?? undefined);
  overrideSetting(
    settings,
    ['referencesDir'],
    path('references') ?? settings['referencesDir'] ?? client.references ?? undefined,
  );
  overrideSetting(settings, ['subscriptions'], subscriptions.length > 0 ? subscriptions : undefined);
  for (const name of ['ca', 'cert', 'key']) overrideSetting(settings, ['tls', name], path(`tls-${name}`));
  overrideSetting(settings, ['staleAfterMs'], integerFlag(flags, 'stale-after-ms', { min: 1000, max: 86_400_000 }));
  overrideSetting(settings, ['logLevel'], flags.text('log-level'));
  return settings;
}

function explainVerifierError(error: unknown): unknown {
  if (!(error instanceof VerifierError)) return error;
  return error.code === 'ERR_VERIFIER_CONFIG'
    ? new CliError(EXIT.usage, error.message, { cause: error })
    : undecided(error.message, error);
}
