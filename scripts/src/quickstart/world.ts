import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeName, parsePublic } from '@holdfast/evidence';
import { createDevCa, type DevCa } from '../dev-ca/create-dev-ca.ts';
import { startHoldfast } from '../world/holdfast-process.ts';
import { startPrivateContainerd } from '../world/private-containerd.ts';
import { startPrivateSwtpm } from '../world/private-swtpm.ts';
import { runTool } from '../world/run-tool.ts';
import type { Runtime } from './containers.ts';
import type { QuickstartOptions } from './options.ts';
import type { TrustKeyEntry } from './references.ts';
import { namespaceOf, type QuickstartState } from './state.ts';

const KUBE_NODE = 'quickstart';
const HEARTBEAT_MS = 10_000;
const DAY_MS = 86_400_000;

/** Makes the empty state of a run and the directory that holds it. */
export async function createState(): Promise<QuickstartState> {
  // Short, since a unix socket's path has 107 bytes, and on a disk, since images may not fit into memory.
  const directory = await mkdtemp('/var/tmp/holdfast-');
  return { directory, processes: [], containerd: null, borrowed: null };
}

/** A container runtime: the one that was named, in a namespace of our own, or a private one. */
export async function openRuntime(state: QuickstartState, options: QuickstartOptions): Promise<Runtime> {
  const namespace = namespaceOf(state);
  const scratch = join(state.directory, 'scratch');
  await mkdir(scratch);
  if (options.containerd !== null) {
    const runtime = { address: options.containerd, namespace, scratch };
    await runTool('ctr', ['--address', runtime.address, 'namespaces', 'create', namespace]);
    state.borrowed = runtime;
    return runtime;
  }
  state.containerd = await startPrivateContainerd(join(state.directory, 'ctd'));
  return { address: state.containerd.address, namespace, scratch };
}

/** A TPM: the one that was named, or a fresh software one. */
export async function openTpm(state: QuickstartState, options: QuickstartOptions): Promise<string> {
  if (options.tpm !== null) return options.tpm;
  const directory = join(state.directory, 'tpm');
  await mkdir(directory, { mode: 0o700 });
  const swtpm = await startPrivateSwtpm(directory);
  state.processes.push(swtpm.process);
  return swtpm.tcti;
}

/** Reads the EK as an operator does before a machine is admitted: from the TPM itself, with tpm2-tools, not from the agent. */
async function readEkName(state: QuickstartState, tcti: string): Promise<string> {
  const file = join(state.directory, 'ek.pub');
  const context = join(state.directory, 'ek.ctx');
  const env = { TPM2TOOLS_TCTI: tcti };
  await runTool('tpm2_createek', ['--ek-context', context, '--key-algorithm', 'rsa', '--public', file], { env });
  await runTool('tpm2_flushcontext', ['--transient-object'], { env });
  // A TPM2B_PUBLIC: two bytes of size, then the TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.5).
  return computeName(parsePublic((await readFile(file)).subarray(2))).toString('hex');
}

export interface Services {
  readonly verifier: string;
  readonly agent: string;
  /** Settings of a second verifier service that subscribes to the agent; nobody started it. */
  readonly subscriber: string;
  /** Settings for the command line, to be written to a file. */
  readonly config: object;
}

export interface ServiceInputs {
  readonly state: QuickstartState;
  readonly runtime: Runtime;
  readonly tcti: string;
  readonly references: string;
  readonly trustKeys: readonly TrustKeyEntry[];
}

/** Starts the verifier, then the agent that dials it, each as a process of its own with mutual TLS. */
export async function startServices(inputs: ServiceInputs): Promise<Services> {
  const { state } = inputs;
  const ca = await createDevCa();
  const trust = await describeTrust(inputs);
  const trustFile = await writeTrust(state, 'trust.json', trust);
  const verifier = await startVerifier(inputs, ca, trustFile);
  state.processes.push(verifier.process);
  const agent = await startAgent(inputs, ca, verifier.listenAddress);
  state.processes.push(agent.process);
  const person = await ca.issueFiles(join(state.directory, 'tls'), 'person', {
    commonName: 'quickstart person',
    roles: ['responder', 'operator', 'auditor', 'builder'],
  });
  const personTrust = await writePersonTrust(state, trust);
  return {
    verifier: verifier.listenAddress,
    agent: agent.listenAddress,
    subscriber: await describeSubscriber(inputs, ca, personTrust, agent.listenAddress),
    config: {
      agent: { address: agent.listenAddress },
      verifier: { address: verifier.listenAddress },
      tls: person,
      trust: personTrust,
      references: inputs.references,
    },
  };
}

interface TrustFile {
  readonly keys: readonly object[];
  readonly [name: string]: unknown;
}

async function describeTrust(inputs: ServiceInputs): Promise<TrustFile> {
  return {
    format: 'holdfast-trust-v1',
    version: 1,
    environment: 'development',
    ekRoots: [],
    expires: new Date(Date.now() + 30 * DAY_MS).toISOString(),
    keys: inputs.trustKeys,
    eks: [{ kubeNode: KUBE_NODE, ekName: await readEkName(inputs.state, inputs.tcti) }],
  };
}

async function writeTrust(state: QuickstartState, name: string, trust: TrustFile): Promise<string> {
  const file = join(state.directory, name);
  await writeFile(file, JSON.stringify(trust, null, 2));
  return file;
}

/** The trust file of a person: what the verifier trusts, and the keys with which this verifier signs. */
async function writePersonTrust(state: QuickstartState, trust: TrustFile): Promise<string> {
  const published: object[] = JSON.parse(await readFile(join(state.directory, 'verifier/published-keys.json'), 'utf8'));
  const validity = {
    validFrom: new Date(Date.now() - DAY_MS).toISOString(),
    validUntil: new Date(Date.now() + 30 * DAY_MS).toISOString(),
  };
  const keys = published.map((key) => ({ ...key, environment: 'development', scope: ['*'], ...validity }));
  return await writeTrust(state, 'person-trust.json', { ...trust, keys: [...trust.keys, ...keys] });
}

async function startVerifier(inputs: ServiceInputs, ca: DevCa, trust: string) {
  const { directory } = inputs.state;
  const tls = await ca.issueFiles(join(directory, 'tls'), 'verifier', {
    commonName: 'quickstart verifier',
    roles: ['verifier'],
    hosts: ['127.0.0.1', 'localhost'],
  });
  const config = await writeSettings(directory, 'verifier', {
    listen: '127.0.0.1:0',
    stateDir: join(directory, 'verifier'),
    tls,
    trustFile: trust,
    referencesDir: inputs.references,
    logLevel: 'info',
  });
  return await startHoldfast(['verifier', '--config', config], join(directory, 'verifier.log'));
}

/** Settings of a verifier service of somebody else, who trusts what the first one certified and dials the agent. */
async function describeSubscriber(inputs: ServiceInputs, ca: DevCa, trust: string, agent: string): Promise<string> {
  const { directory } = inputs.state;
  const tls = await ca.issueFiles(join(directory, 'tls'), 'subscriber', {
    commonName: 'quickstart subscriber',
    roles: ['verifier', 'responder'],
    hosts: ['127.0.0.1', 'localhost'],
  });
  const settings = {
    listen: '127.0.0.1:0',
    stateDir: join(directory, 'subscriber'),
    tls,
    trustFile: trust,
    referencesDir: inputs.references,
    verifierId: 'subscriber',
    subscriptions: [{ address: agent }],
  };
  return await writeSettings(directory, 'verifier', settings, 'subscriber.json');
}

async function startAgent(inputs: ServiceInputs, ca: DevCa, verifier: string) {
  const { directory } = inputs.state;
  const tls = await ca.issueFiles(join(directory, 'tls'), 'agent', {
    commonName: 'quickstart agent',
    roles: ['agent'],
    hosts: ['127.0.0.1', 'localhost'],
  });
  const config = await writeSettings(directory, 'agent', {
    kubeNode: KUBE_NODE,
    tpm: { tcti: inputs.tcti },
    runtime: { containerd: inputs.runtime.address, namespaces: [inputs.runtime.namespace] },
    stateDir: join(directory, 'agent'),
    verifier: { address: verifier },
    listen: '127.0.0.1:0',
    tls,
    heartbeatMs: HEARTBEAT_MS,
    logLevel: 'info',
  });
  return await startHoldfast(['agent', '--config', config], join(directory, 'agent.log'));
}

async function writeSettings(
  directory: string,
  name: 'agent' | 'verifier',
  settings: object,
  fileName = `${name}.json`,
): Promise<string> {
  const file = join(directory, fileName);
  await writeFile(file, JSON.stringify({ serve: { [name]: settings } }, null, 2), { mode: 0o600 });
  return file;
}
