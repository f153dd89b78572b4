import { checkFlag, checkInteger, checkOptions } from './check-options.ts';
import { CommandQueue } from './command-queue.ts';
import { loadNative } from './load-native.ts';
import { Tpm } from './tpm.ts';
import { TpmError } from './tpm-error.ts';

/** How to reach the TPM, and how long to wait for it. */
export interface OpenTpmOptions {
  /**
   * TCTI name and its settings: `device:/dev/tpmrm0`, `swtpm:path=/run/swtpm.sock`, `swtpm:host=127.0.0.1,port=2321`,
   * `mssim:host=127.0.0.1,port=2321`, `tabrmd:bus_name=com.intel.tss2.Tabrmd`.
   */
  tcti: string;
  /** Longest time for one command, in ms. Default 10,000. */
  deadlineMs?: number | undefined;
  /** Longest time for a command that makes a key (real TPMs search RSA primes for minutes). Default 120,000. */
  keyDeadlineMs?: number | undefined;
  /**
   * This process alone uses the TPM: flush every transient object and session that is loaded in it on opening, such as
   * what a killed predecessor left. Never needed with a resource manager (`/dev/tpmrm0`, tabrmd). Default false.
   */
  exclusive?: boolean | undefined;
}

const TCTI_NAMES = ['device', 'swtpm', 'mssim', 'tabrmd'];
const MAX_DEADLINE_MS = 600_000;
const MAX_TCTI_LENGTH = 512;

function checkTcti(tcti: unknown): asserts tcti is string {
  if (typeof tcti !== 'string' || tcti === '' || tcti.length > MAX_TCTI_LENGTH || tcti.includes('\0')) {
    throw new TypeError('tcti must be text such as "device:/dev/tpmrm0" or "swtpm:path=/run/swtpm.sock"');
  }
  // The name decides which shared library is loaded, so only the four known ones pass.
  const [name] = tcti.split(':', 1);
  if (name === undefined || !TCTI_NAMES.includes(name)) {
    throw new TypeError(`tcti must begin with one of ${TCTI_NAMES.map((known) => `${known}:`).join(', ')}`);
  }
}

/** A connection that fails has no more to say than "IO failure": name what was tried. */
function describeFailure(error: unknown, tcti: string): unknown {
  if (!(error instanceof TpmError) || error.command !== 'connect') return error;
  const { code, command, rc, name } = error;
  const [tctiName = ''] = tcti.split(':', 1);
  const hint = name === 'TSS2_RC_NOT_SUPPORTED' ? `: is the library libtss2-tcti-${tctiName} installed?` : '';
  const message = `no TPM can be reached at ${tcti} (${name})${hint}`;
  return new TpmError({ code, command, rc, message, cause: error });
}

/**
 * Connects to a TPM: checks the options, loads the native part (only now), starts the thread of the context, opens the
 * TCTI and, once in a process, runs a cryptographic self-test through an encrypted session of this TPM.
 * @throws TypeError on wrong or misspelt options
 * @throws TpmError `ERR_TPM_NATIVE` not built, libraries missing or self-test failed; `ERR_TPM_TCTI` no connection;
 * `ERR_TPM_TIMEOUT` no answer; `ERR_TPM` the TPM refused
 */
export async function openTpm(options: OpenTpmOptions): Promise<Tpm> {
  checkOptions(options, ['tcti', 'deadlineMs', 'keyDeadlineMs', 'exclusive'], 'openTpm');
  const { tcti, deadlineMs = 10_000, keyDeadlineMs = Math.max(120_000, deadlineMs), exclusive = false } = options;
  checkTcti(tcti);
  checkInteger(deadlineMs, 'deadlineMs', 1, MAX_DEADLINE_MS);
  checkInteger(keyDeadlineMs, 'keyDeadlineMs', 1, MAX_DEADLINE_MS);
  checkFlag(exclusive, 'exclusive');
  const queue = new CommandQueue(loadNative().createContext());
  try {
    await queue.run('open', { tcti, exclusive }, deadlineMs);
  } catch (error) {
    await queue.close(deadlineMs);
    throw describeFailure(error, tcti);
  }
  return new Tpm(queue, { deadlineMs, keyDeadlineMs });
}
