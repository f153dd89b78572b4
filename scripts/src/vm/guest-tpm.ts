import { spawn } from 'node:child_process';
import { access, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { computeName, parsePublic } from '@holdfast/evidence';
import { isRunning, type NamedProcess, nameProcess, stopProcess } from '../world/named-process.ts';
import { runTool } from '../world/run-tool.ts';

/** The TPM of one guest, whose state outlives boots and power cuts. */
export interface GuestTpm {
  /** Name of its EK, hex, as the operator read it before the guest ever ran. */
  readonly ekName: string;
  /** PEM of the CA that vouches for its EK. */
  readonly ekRoot: string;
  readonly ekIntermediate: string;
  /** Puts its state back to what it was when it was made. Only while the machine is off. */
  restoreFirstState(): Promise<void>;
  /** TPM2_Clear with platform authorization. Only while the machine is off. */
  clear(): Promise<void>;
  /** Starts it; it ends with the machine that connects to `socket`. */
  start(socket: string): Promise<NamedProcess>;
}

const START_MS = 20_000;

/** Makes a TPM with EK certificates below `directory`, and reads its EK as an operator does who admits a machine. */
export async function createGuestTpm(directory: string): Promise<GuestTpm> {
  const state = join(directory, 'state');
  const authority = join(directory, 'ca');
  await mkdir(state, { recursive: true, mode: 0o700 });
  await mkdir(authority, { mode: 0o700 });
  await manufacture(directory, state, authority);
  const ekName = await readEkName(directory, state);
  const first = join(directory, 'first-state');
  await cp(state, first, { recursive: true });
  return {
    ekName,
    restoreFirstState: async () => {
      await rm(state, { recursive: true });
      await cp(first, state, { recursive: true });
    },
    clear: async () =>
      await withCommands(directory, state, async (env) => {
        await runTool('tpm2_clear', ['--auth-hierarchy', 'p'], { env });
        await runTool('tpm2_shutdown', ['--clear'], { env });
      }),
    ekRoot: await readFile(join(authority, 'swtpm-localca-rootca-cert.pem'), 'utf8'),
    ekIntermediate: await readFile(join(authority, 'issuercert.pem'), 'utf8'),
    start: async (socket) => await startProcess(state, ['--ctrl', `type=unixio,path=${socket}`, '--terminate'], socket),
  };
}

/** Everything that the tool would write below /etc or /var goes into `authority`. */
async function manufacture(directory: string, state: string, authority: string): Promise<void> {
  const config = join(directory, 'setup.conf');
  const caConfig = join(directory, 'localca.conf');
  const caOptions = join(directory, 'localca.options');
  const files = { statedir: '', signingkey: 'signkey.pem', issuercert: 'issuercert.pem', certserial: 'certserial' };
  const lines = Object.entries(files).map(([name, file]) => `${name} = ${join(authority, file)}\n`);
  await writeFile(caConfig, lines.join(''));
  const platform = { manufacturer: 'Holdfast', version: '1', model: 'guest' };
  await writeFile(
    caOptions,
    Object.entries(platform)
      .map(([name, text]) => `--platform-${name} ${text}\n`)
      .join(''),
  );
  const tool = 'create_certs_tool';
  await writeFile(
    config,
    `${tool} = /usr/bin/swtpm_localca\n${tool}_config = ${caConfig}\n${tool}_options = ${caOptions}\n`,
  );
  const where = ['--tpm2', '--tpmstate', state, '--config', config, '--pcr-banks', 'sha256'];
  const certificates = ['--createek', '--create-ek-cert', '--create-platform-cert', '--lock-nvram'];
  await runTool('swtpm_setup', [...where, ...certificates]);
}

/** Runs a TPM that no machine holds, and what is to be done with it. */
async function withCommands<T>(
  directory: string,
  state: string,
  work: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const socket = join(directory, 'tpm.sock');
  const channels = ['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`];
  const named = await startProcess(state, [...channels, '--flags', 'not-need-init,startup-clear'], socket);
  try {
    return await work({ TPM2TOOLS_TCTI: `swtpm:path=${socket}` });
  } finally {
    await stopProcess(named);
  }
}

async function readEkName(directory: string, state: string): Promise<string> {
  return await withCommands(directory, state, async (env) => {
    const file = join(directory, 'ek.pub');
    const context = join(directory, 'ek.ctx');
    await runTool('tpm2_createek', ['--ek-context', context, '--key-algorithm', 'rsa', '--public', file], { env });
    // A TPM2B_PUBLIC: two bytes of size, then the TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.5).
    return computeName(parsePublic((await readFile(file)).subarray(2))).toString('hex');
  });
}

async function startProcess(state: string, args: readonly string[], socket: string): Promise<NamedProcess> {
  await rm(socket, { force: true });
  // Dies with this process, however that ends.
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${state}`, ...args],
    {
      stdio: 'ignore',
    },
  );
  child.on('error', () => undefined);
  const named = await nameProcess('swtpm', child.pid);
  child.unref();
  const deadline = Date.now() + START_MS;
  while (!(await exists(socket))) {
    if (!(await isRunning(named))) throw new Error('swtpm ended before it opened its socket');
    if (Date.now() > deadline) throw new Error('swtpm opened no socket in time');
    await delay(25);
  }
  return named;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
