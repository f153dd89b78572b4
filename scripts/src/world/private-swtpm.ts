import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canConnect } from './can-connect.ts';
import { isRunning, type NamedProcess, nameProcess } from './named-process.ts';
import { runTool } from './run-tool.ts';

export interface PrivateSwtpm {
  /** TCTI string that reaches it. */
  readonly tcti: string;
  readonly process: NamedProcess;
}

const START_MS = 20_000;

/** Makes a fresh software TPM 2.0 below `directory` and starts it, detached, on a unix socket. */
export async function startPrivateSwtpm(directory: string): Promise<PrivateSwtpm> {
  const state = join(directory, 'state');
  const socket = join(directory, 'tpm.sock');
  await mkdir(state, { recursive: true, mode: 0o700 });
  await runTool('swtpm_setup', ['--tpm2', '--tpmstate', state, '--pcr-banks', 'sha256']);
  const child = spawn(
    'swtpm',
    [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${state}`,
      '--flags',
      'not-need-init,startup-clear',
      '--server',
      `type=unixio,path=${socket}`,
      // Where the swtpm TCTI looks for it.
      '--ctrl',
      `type=unixio,path=${socket}.ctrl`,
    ],
    { stdio: 'ignore', detached: true },
  );
  child.on('error', () => undefined);
  const named = await nameProcess('swtpm', child.pid);
  child.unref();
  const deadline = Date.now() + START_MS;
  while (!(await canConnect(socket))) {
    if (!(await isRunning(named))) throw new Error('swtpm ended before it opened its socket');
    if (Date.now() > deadline) throw new Error('swtpm opened no socket in time');
    await delay(25);
  }
  return { tcti: `swtpm:path=${socket}`, process: named };
}
