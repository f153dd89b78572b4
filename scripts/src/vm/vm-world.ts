import { generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createDevCa, type DevCa } from '../dev-ca/create-dev-ca.ts';
import { openResultFeed, type ResultFeed } from '../quickstart/result-feed.ts';
import { CHECKOUT, startHoldfast } from '../world/holdfast-process.ts';
import { type NamedProcess, stopProcess } from '../world/named-process.ts';
import { runTool } from '../world/run-tool.ts';
import { openBootDisk } from './boot-disk.ts';
import { extractVariables } from './firmware-variables.ts';
import { GUEST_AGENT_PORT, type Guest, HOST_ADDRESS, startGuest } from './guest.ts';
import { type GuestKernel, openGuestKernel } from './guest-kernel.ts';
import { openGuestRoot } from './guest-root.ts';
import { createGuestTpm, type GuestTpm } from './guest-tpm.ts';

export interface PowerOnOptions {
  readonly commandLine: string;
  readonly signed: boolean;
  /** Default true. */
  readonly network?: boolean;
}

/** One machine with its TPM and disks, and the verifier on this side. */
export interface VmWorld {
  readonly directory: string;
  readonly kernel: GuestKernel;
  readonly feed: ResultFeed;
  /** That of the machine, for what is done to it while the machine is off. */
  readonly tpm: Pick<GuestTpm, 'restoreFirstState' | 'clear'>;
  /** Who signs boot references, and where the verifier finds them. */
  readonly references: ReferenceFiles;
  /** The unified kernel image of a boot, before any machine boots it. */
  openImage(boot: PowerOnOptions): Promise<string>;
  /** Switches the machine on with this kernel image. One at a time: disk and TPM are the same each time. */
  powerOn(name: string, boot: PowerOnOptions): Promise<Guest>;
  /** Runs `holdfast WORDS --json` on this side, with the settings of a person; returns its document. */
  ask(words: readonly string[]): Promise<unknown>;
  /** Ends what still runs and removes everything, or all but the files. */
  close(keepFiles: boolean): Promise<void>;
}

export interface ReferenceFiles {
  /** Directory that the verifier watches. */
  readonly directory: string;
  readonly keyFile: string;
  readonly keyId: string;
  readonly publicKey: string;
  /** Folder of PK, KEK, db and dbx of the machine. */
  readonly variables: string;
}

export const KUBE_NODE = 'guest';
const HEARTBEAT_MS = 5_000;
const DAY_MS = 86_400_000;
/** Whose db, KEK and PK hold the test key alone. */
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd';
const STATE_SIZE = '32M';

/** Makes kernel, root disk, TPM, state disk and verifier. The caller closes the world. */
export async function createVmWorld(note: (text: string) => void): Promise<VmWorld> {
  note("getting Debian's cloud kernel");
  const kernel = await openGuestKernel();
  const root = await openGuestRoot(kernel, note);
  // Short, since a unix socket's path has 107 bytes.
  const directory = await mkdtemp('/var/tmp/hfvm-');
  const guests: Guest[] = [];
  const processes: NamedProcess[] = [];
  const feeds: ResultFeed[] = [];
  const close = async (keepFiles: boolean) => {
    for (const guest of guests) await guest.pullPlug();
    for (const feed of feeds) feed.close();
    for (const named of processes) await stopProcess(named);
    if (!keepFiles) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    note('making a TPM, and pinning its EK as an operator does before a machine is admitted');
    const tpm = await createGuestTpm(join(directory, 'tpm'));
    const ca = await createDevCa();
    const references = await createReferenceFiles(directory);
    note('starting the verifier on this machine');
    const verifier = await startVerifier(directory, ca, tpm, references);
    processes.push(verifier.process);
    const agentPort = await findFreePort();
    const state = await makeStateDisk(directory, ca, verifier.listenAddress);
    const settings = await writePersonSettings(directory, ca, verifier.listenAddress, agentPort);
    const variables = join(directory, 'variables.fd');
    await copyFile(VARIABLES, variables);
    const feed = openResultFeed(settings);
    feeds.push(feed);
    return {
      directory,
      kernel,
      feed,
      tpm,
      references,
      openImage: async ({ commandLine, signed }) => (await openBootDisk({ kernel, commandLine, signed })).uki,
      powerOn: async (name, { commandLine, signed, network = true }) => {
        const { disk } = await openBootDisk({ kernel, commandLine, signed });
        const disks = { root, state, boot: disk };
        const port = network ? agentPort : null;
        const guest = await startGuest({ directory, name, tpm, disks, variables, agentPort: port });
        guests.push(guest);
        return guest;
      },
      ask: async (words) => {
        const output = await runTool(`${CHECKOUT}/scripts/holdfast`, [...words, '--json', '--config', settings]);
        return JSON.parse(output.toString());
      },
      close,
    };
  } catch (error) {
    await close(false);
    throw error;
  }
}

async function createReferenceFiles(directory: string): Promise<ReferenceFiles> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyFile = join(directory, 'boot-signer.key');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const references = join(directory, 'references');
  await mkdir(references);
  const variables = join(directory, 'secure-boot');
  await extractVariables(VARIABLES, variables);
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { directory: references, keyFile, keyId: 'boot-signer', publicKey: pem, variables };
}

/** The boot must be referenced, and the guest is a machine without a container runtime, as its operator declares. */
async function startVerifier(directory: string, ca: DevCa, tpm: GuestTpm, references: ReferenceFiles) {
  const trustFile = join(directory, 'trust.json');
  const trust = {
    format: 'holdfast-trust-v1',
    version: 1,
    environment: 'development',
    expires: new Date(Date.now() + 30 * DAY_MS).toISOString(),
    keys: [
      {
        id: references.keyId,
        role: 'boot',
        environment: 'development',
        publicKey: references.publicKey,
        scope: ['*'],
        validFrom: new Date(Date.now() - DAY_MS).toISOString(),
        validUntil: new Date(Date.now() + DAY_MS).toISOString(),
      },
    ],
    eks: [{ kubeNode: KUBE_NODE, ekName: tpm.ekName }],
    ekRoots: [tpm.ekRoot],
    // This TPM does not carry the certificate of the issuer.
    ekIntermediates: [tpm.ekIntermediate],
  };
  await writeFile(trustFile, JSON.stringify(trust, null, 2));
  const tls = await ca.issueFiles(join(directory, 'tls'), 'verifier', {
    commonName: 'verifier',
    roles: ['verifier'],
    // The guest dials this machine by the first of them.
    hosts: [HOST_ADDRESS, '127.0.0.1', 'localhost'],
  });
  const config = join(directory, 'verifier.json');
  const stateDir = join(directory, 'verifier');
  const policy = {
    referencesDir: references.directory,
    bootReference: 'required',
    machinesWithoutRuntime: [KUBE_NODE],
  };
  const settings = { listen: '127.0.0.1:0', stateDir, tls, trustFile, ...policy, logLevel: 'info' };
  await writeFile(config, JSON.stringify({ serve: { verifier: settings } }), { mode: 0o600 });
  return await startHoldfast(['verifier', '--config', config], join(directory, 'verifier.log'));
}

/** The disk that the guest keeps: the agent's settings and certificate, later its keys and chain. */
async function makeStateDisk(directory: string, ca: DevCa, verifier: string): Promise<string> {
  const tree = join(directory, 'state');
  await mkdir(tree, { mode: 0o700 });
  await ca.issueFiles(join(tree, 'tls'), 'agent', {
    commonName: 'agent',
    roles: ['agent'],
    hosts: ['127.0.0.1', 'localhost'],
  });
  const files = { ca: 'ca.pem', cert: 'agent.pem', key: 'agent.key' };
  const settings = {
    kubeNode: KUBE_NODE,
    tpm: { tcti: 'device:/dev/tpmrm0' },
    runtime: 'none',
    stateDir: '/state/agent',
    verifier: { address: `${HOST_ADDRESS}:${verifier.slice(verifier.lastIndexOf(':') + 1)}` },
    listen: `0.0.0.0:${GUEST_AGENT_PORT}`,
    tls: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, `/state/tls/${file}`])),
    heartbeatMs: HEARTBEAT_MS,
    logLevel: 'info',
  };
  await writeFile(join(tree, 'agent.json'), JSON.stringify({ serve: { agent: settings } }), { mode: 0o600 });
  const disk = join(directory, 'state.ext4');
  await runTool('mke2fs', ['-q', '-t', 'ext4', '-m', '0', '-E', 'root_owner=0:0', '-d', tree, disk, STATE_SIZE]);
  return disk;
}

/** Settings of a person on this machine: asks the verifier for results and the guest's agent for snapshots. */
async function writePersonSettings(directory: string, ca: DevCa, verifier: string, agentPort: number): Promise<string> {
  const tls = await ca.issueFiles(join(directory, 'tls'), 'person', {
    commonName: 'person',
    roles: ['responder', 'operator', 'auditor'],
  });
  const published: object[] = JSON.parse(await readFile(join(directory, 'verifier/published-keys.json'), 'utf8'));
  const validFrom = new Date(Date.now() - DAY_MS).toISOString();
  const validUntil = new Date(Date.now() + DAY_MS).toISOString();
  const keys = published.map((key) => ({ ...key, environment: 'development', scope: ['*'], validFrom, validUntil }));
  const trust: object = JSON.parse(await readFile(join(directory, 'trust.json'), 'utf8'));
  const trustFile = join(directory, 'person-trust.json');
  await writeFile(trustFile, JSON.stringify({ ...trust, keys }));
  const file = join(directory, 'person.json');
  const agent = { address: `127.0.0.1:${agentPort}` };
  const settings = { agent, verifier: { address: verifier }, tls, trust: trustFile };
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  return file;
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
