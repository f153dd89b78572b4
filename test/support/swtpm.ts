import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;

/** How to make and run the software TPM. */
export interface SwtpmOptions {
  /** Default `unix`; `tcp` takes two free ports of the loopback address. */
  transport?: 'unix' | 'tcp';
  /** Make EKs (RSA-2048 L-1, ECC P-384 H-3) with certificates in NV. Default true; false starts faster. */
  ekCertificates?: boolean;
  /** A CA made by an earlier TPM (`caDirectory` of that one), so that several share one root. Default: an own CA. */
  caDirectory?: string;
  /** A state directory to begin with a copy of, as of a virtual TPM that was cloned or restored. Default: a new TPM. */
  copyOf?: string;
}

/** A software TPM of its own: state, CA, socket and process. */
export interface Swtpm {
  /** For `openTpm` and for TPM2TOOLS_TCTI. */
  readonly tcti: string;
  /** Process id of the running swtpm. */
  readonly pid: number;
  readonly stateDirectory: string;
  readonly caDirectory: string;
  /** Socket that takes commands, with transport `unix`. */
  readonly socketPath: string;
  /** PEM certificates of the EK CA: the issuer and its root. Empty without `ekCertificates`. */
  caCertificates(): Promise<string[]>;
  /** Sends a signal to the process, SIGSTOP and SIGCONT included. */
  signal(name: NodeJS.Signals): void;
  /** Ends the process without a TPM2_Shutdown, waits until it is gone. The state stays. */
  kill(): Promise<void>;
  /**
   * Starts the process again on the same state and address. TPM2_Startup is CLEAR by default: a TPM Reset, or a Restart
   * after TPM2_Shutdown(STATE); `state` after that is a Resume.
   */
  restart(startup?: Startup): Promise<void>;
  /** Ends the process and puts a copy of a state directory in the place of its state. */
  restore(stateDirectory: string): Promise<void>;
  /** Ends the process and removes the state. Harmless when repeated. */
  close(): Promise<void>;
}

type Startup = 'clear' | 'state';

interface Address {
  tcti: string;
  args: string[];
  connectTo: { path: string } | { host: string; port: number };
}

async function run(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${Buffer.concat(output).toString()}`);
}

/** swtpm_localca with everything of its own: nothing is written below /etc or /var. */
async function writeSetupConfig(directory: string, caDirectory: string): Promise<string> {
  await mkdir(caDirectory, { recursive: true });
  const ca = [
    `statedir = ${caDirectory}`,
    `signingkey = ${join(caDirectory, 'signkey.pem')}`,
    `issuercert = ${join(caDirectory, 'issuercert.pem')}`,
    `certserial = ${join(caDirectory, 'certserial')}`,
  ];
  const caConfig = join(directory, 'localca.conf');
  const caOptions = join(directory, 'localca.options');
  const setupConfig = join(directory, 'setup.conf');
  await writeFile(caConfig, `${ca.join('\n')}\n`);
  const platform = ['--platform-manufacturer Holdfast', '--platform-version 1', '--platform-model test'];
  await writeFile(caOptions, `${platform.join('\n')}\n`);
  const setup = [
    'create_certs_tool = /usr/bin/swtpm_localca',
    `create_certs_tool_config = ${caConfig}`,
    `create_certs_tool_options = ${caOptions}`,
    'active_pcr_banks = sha256',
  ];
  await writeFile(setupConfig, `${setup.join('\n')}\n`);
  return setupConfig;
}

async function manufacture(directory: string, caDirectory: string, ekCertificates: boolean): Promise<void> {
  const state = join(directory, 'state');
  await mkdir(state);
  const args = ['--tpm2', '--tpmstate', state, '--pcr-banks', 'sha256', '--not-overwrite'];
  if (ekCertificates) {
    const config = await writeSetupConfig(directory, caDirectory);
    args.push('--config', config, '--createek', '--create-ek-cert', '--create-platform-cert', '--lock-nvram');
  }
  await run('swtpm_setup', args, { ...process.env, HOME: directory, XDG_CONFIG_HOME: directory });
}

/** Two neighbouring free ports: the TCTI expects the control channel one above the command channel. */
async function findPorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const address = first.address();
    const port = typeof address === 'object' && address !== null ? address.port : 65_535;
    const second = createServer();
    const free = await new Promise<boolean>((resolve) => {
      second.once('error', () => resolve(false));
      second.listen(port + 1, '127.0.0.1', () => resolve(true));
    });
    first.close();
    if (free) {
      second.close();
      return port;
    }
  }
  throw new Error('no two neighbouring free ports');
}

async function chooseAddress(directory: string, transport: 'unix' | 'tcp'): Promise<Address> {
  if (transport === 'unix') {
    const path = join(directory, 'tpm.sock');
    const args = ['--server', `type=unixio,path=${path}`, '--ctrl', `type=unixio,path=${path}.ctrl`];
    return { tcti: `swtpm:path=${path}`, args, connectTo: { path } };
  }
  const port = await findPorts();
  const host = '127.0.0.1';
  const args = ['--server', `type=tcp,port=${port},bindaddr=${host}`];
  args.push('--ctrl', `type=tcp,port=${port + 1},bindaddr=${host}`);
  return { tcti: `swtpm:host=${host},port=${port}`, args, connectTo: { host, port } };
}

async function waitUntilReady(child: ChildProcess, connectTo: Address['connectTo']): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('swtpm ended at its start');
    const socket = connect(connectTo);
    const ready = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      sleep(500, false, { ref: false }),
    ]);
    socket.destroy();
    if (ready) return;
    await sleep(10);
  }
  throw new Error('swtpm does not listen');
}

async function startProcess(directory: string, address: Address, startup: Startup = 'clear'): Promise<ChildProcess> {
  for (const path of 'path' in address.connectTo ? [address.connectTo.path] : []) {
    await rm(path, { force: true });
    await rm(`${path}.ctrl`, { force: true });
  }
  // setpriv execs swtpm: no orphan stays when a test run is killed.
  const args = ['--pdeathsig', 'KILL', 'swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${join(directory, 'state')}`];
  const child = spawn('setpriv', [...args, ...address.args, '--flags', `not-need-init,startup-${startup}`], {
    stdio: 'ignore',
  });
  child.unref();
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
  await waitUntilReady(child, address.connectTo);
  return child;
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.ref();
  child.kill('SIGKILL');
  await Promise.race([gone, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
}

/** The reason why no software TPM can run here, for `skip`; undefined where it can. In CI nothing may be missing. */
export function missingSwtpm(): string | undefined {
  const tools = ['/usr/bin/swtpm', '/usr/bin/swtpm_setup', '/usr/bin/swtpm_localca'];
  const missing = tools.filter((tool) => !existsSync(tool));
  if (missing.length === 0) return undefined;
  if (process.env.CI !== undefined) throw new Error(`missing in CI: ${missing.join(', ')}`);
  return `missing ${missing.join(', ')} (Debian: swtpm, swtpm-tools)`;
}

/** Makes a software TPM in a directory of its own and starts it. The caller closes it. */
export async function startSwtpm(options: SwtpmOptions = {}): Promise<Swtpm> {
  const { transport = 'unix', ekCertificates = true } = options;
  const directory = await mkdtemp(join(tmpdir(), 'hf-tpm-'));
  const caDirectory = options.caDirectory ?? join(directory, 'ca');
  try {
    if (options.copyOf === undefined) await manufacture(directory, caDirectory, ekCertificates);
    else await cp(options.copyOf, join(directory, 'state'), { recursive: true });
    const address = await chooseAddress(directory, transport);
    return createHandle({
      directory,
      caDirectory,
      ekCertificates,
      address,
      child: await startProcess(directory, address),
    });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

interface Parts {
  directory: string;
  caDirectory: string;
  ekCertificates: boolean;
  address: Address;
  child: ChildProcess;
}

function createHandle({ directory, caDirectory, ekCertificates, address, child }: Parts): Swtpm {
  let current = child;
  return {
    tcti: address.tcti,
    stateDirectory: join(directory, 'state'),
    caDirectory,
    socketPath: join(directory, 'tpm.sock'),
    get pid() {
      return current.pid ?? 0;
    },
    async caCertificates() {
      if (!ekCertificates) return [];
      const names = ['issuercert.pem', 'swtpm-localca-rootca-cert.pem'];
      return Promise.all(names.map((name) => readFile(join(caDirectory, name), 'utf8')));
    },
    signal: (name) => void current.kill(name),
    kill: () => endProcess(current),
    async restart(startup) {
      await endProcess(current);
      current = await startProcess(directory, address, startup);
    },
    async restore(stateDirectory) {
      await endProcess(current);
      await rm(join(directory, 'state'), { recursive: true });
      await cp(stateDirectory, join(directory, 'state'), { recursive: true });
    },
    async close() {
      await endProcess(current);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
