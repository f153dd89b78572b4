import { type CheckStatus, type DiagnosisOptions, diagnoseHost, type HostCheck } from '@holdfast/agent';
import { EXIT, usageError } from '../cli-error.ts';
import { loadConfigFor } from '../client-config.ts';
import type { Command, Invocation } from '../command.ts';
import { chooseRuntime, RUNTIME_OPTION } from '../runtime-choice.ts';
import { type Colour, printable, type Terminal } from '../terminal.ts';

const DEFAULT_TCTI = 'device:/dev/tpmrm0';
const COLOURS: Record<CheckStatus, Colour> = { works: 'green', weaker: 'yellow', fails: 'red', skipped: 'dim' };

export const doctor: Command = {
  name: 'doctor',
  summary: 'what the agent needs of this machine: what works, what does not, how to fix it',
  positionals: '',
  arity: [0, 0],
  options: {
    tpm: { type: 'string', value: 'TCTI|none', help: `as for holdfast agent; default ${DEFAULT_TCTI}` },
    runtime: { ...RUNTIME_OPTION, value: 'SOCKET|none' },
    'host-root': { type: 'string', value: 'DIR', help: "where the host's / is mounted; default /" },
  },
  run: async (invocation) => {
    const { terminal } = invocation;
    const checks = await diagnoseHost(await chooseOptions(invocation));
    const works = checks.every(({ status }) => status !== 'fails');
    terminal.printJson({ works, checks });
    terminal.print(formatChecks(checks, terminal));
    return works ? EXIT.good : EXIT.found;
  },
};

async function chooseOptions(invocation: Invocation): Promise<DiagnosisOptions> {
  const { flags } = invocation;
  const { agent } = (await loadConfigFor(flags)).serve;
  const tpm = flags.text('tpm') ?? readTcti(agent['tpm']) ?? DEFAULT_TCTI;
  const runtime = flags.text('runtime') ?? agent['runtime'];
  const hostRoot = flags.text('host-root') ?? agent['hostRoot'] ?? '/';
  if (typeof hostRoot !== 'string' || !hostRoot.startsWith('/')) {
    throw usageError('--host-root takes a directory with a slash at the front');
  }
  return {
    tpm: tpm === 'none' ? 'none' : { tcti: tpm },
    runtime: runtime === 'none' ? null : await chooseRuntime(invocation),
    hostRoot,
  };
}

function readTcti(tpm: unknown): string | undefined {
  if (tpm === 'none') return tpm;
  const tcti = typeof tpm === 'object' && tpm !== null && 'tcti' in tpm ? tpm.tcti : undefined;
  return typeof tcti === 'string' ? tcti : undefined;
}

function formatChecks(checks: readonly HostCheck[], terminal: Terminal): string {
  const width = Math.max(...checks.map(({ id }) => id.length));
  const lines = checks.flatMap(({ id, status, detail, fix }) => [
    `${terminal.paint(COLOURS[status], status.padEnd(7))}  ${id.padEnd(width)}  ${printable(detail)}`,
    ...(fix === null ? [] : [`${' '.repeat(width + 11)}fix: ${printable(fix)}`]),
  ]);
  const counted = (status: CheckStatus) => checks.filter((check) => check.status === status).length;
  return [...lines, '', `${counted('works')} work, ${counted('weaker')} weaker, ${counted('fails')} fail`].join('\n');
}
