import { AgentError } from '../agent-error.ts';
import type { AgentConfig, EkTemplateName, LogLevel, RuntimeConfig } from './agent-config.ts';

const EK_TEMPLATES: readonly EkTemplateName[] = ['L-1', 'L-2', 'H-1', 'H-2', 'H-3'];
const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const TCTI = /^(device|swtpm|mssim|tabrmd)(:|$)/;
/** Ways to a TPM on which no resource manager swaps and cleans up what a process leaves behind. */
const UNMANAGED_TCTI = /^(swtpm|mssim|device:\/dev\/tpm[0-9])/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

type Fields = Record<string, unknown>;

/**
 * Checks settings that came from JSON, strictly, and fills the defaults: every field has its exact type, and a field that
 * is not known is an error that names it.
 *
 * Defaults: `hostRoot` `/`, `heartbeatMs` 60000, `tpm.ekTemplate` `L-1`, `tpm.exclusive` true where no
 * resource manager is in the way, `logLevel` `info`.
 * Throws `AgentError` ERR_AGENT_CONFIG with a sentence that names the field.
 */
export function parseAgentConfig(json: unknown): AgentConfig {
  const fields = takeObject(json, 'the agent settings', [
    'kubeNode',
    'tpm',
    'runtime',
    'stateDir',
    'hostRoot',
    'verifier',
    'listen',
    'tls',
    'heartbeatMs',
    'keyLifetimeMs',
    'image',
    'logLevel',
  ]);
  const config: AgentConfig = {
    kubeNode: takeMatch(fields.kubeNode, 'kubeNode', LABEL, 'a name of 1 to 253 letters, digits, dots, dashes'),
    tpm: parseTpm(fields.tpm),
    runtime: parseRuntime(fields.runtime),
    stateDir: takePath(fields.stateDir, 'stateDir'),
    hostRoot: takePath(fields.hostRoot ?? '/', 'hostRoot'),
    tls: parseTls(fields.tls),
    heartbeatMs: takeInteger(fields.heartbeatMs ?? 60_000, 'heartbeatMs', 100, 86_400_000),
    logLevel: takeOneOf(fields.logLevel ?? 'info', 'logLevel', LOG_LEVELS),
  };
  if (fields.verifier !== undefined) config.verifier = parseVerifier(fields.verifier);
  if (fields.listen !== undefined) config.listen = takeAddress(fields.listen, 'listen', 0);
  if (fields.keyLifetimeMs !== undefined) {
    config.keyLifetimeMs = takeInteger(fields.keyLifetimeMs, 'keyLifetimeMs', 1_000, 10 * 365 * 86_400_000);
  }
  if (fields.image !== undefined) config.image = takeMatch(fields.image, 'image', DIGEST, 'a digest, sha256:…');
  if (config.verifier === undefined && config.listen === undefined) {
    throw refuse('the agent settings need "verifier" (to dial), "listen" (to serve), or both');
  }
  return config;
}

function parseTpm(value: unknown): AgentConfig['tpm'] {
  if (value === 'none') return 'none';
  const fields = takeObject(value, 'tpm (an object, or "none")', ['tcti', 'ekTemplate', 'exclusive']);
  const tcti = takeMatch(
    fields.tcti,
    'tpm.tcti',
    TCTI,
    'a name such as device:/dev/tpmrm0 or swtpm:path=/run/swtpm.sock',
  );
  return {
    tcti,
    exclusive: takeBoolean(fields.exclusive ?? UNMANAGED_TCTI.test(tcti), 'tpm.exclusive'),
    ekTemplate: takeOneOf(fields.ekTemplate ?? 'L-1', 'tpm.ekTemplate', EK_TEMPLATES),
  };
}

function parseRuntime(value: unknown): AgentConfig['runtime'] {
  if (value === 'none') return 'none';
  const fields = takeObject(value, 'runtime, an object', ['containerd', 'namespaces', 'containersStorage']);
  const runtime: RuntimeConfig = {};
  if (fields.containerd !== undefined) runtime.containerd = takePath(fields.containerd, 'runtime.containerd');
  if (fields.containersStorage !== undefined) runtime.containersStorage = parseStorage(fields.containersStorage);
  if (runtime.containerd === undefined && runtime.containersStorage === undefined) {
    throw refuse('runtime needs "containerd", "containersStorage", or both; or is "none"');
  }
  if (fields.namespaces === undefined) return runtime;
  if (!Array.isArray(fields.namespaces)) throw refuse('runtime.namespaces must be a list of names');
  const namespaces = fields.namespaces.map((name, at) => takeText(name, `runtime.namespaces[${at}]`));
  return { ...runtime, namespaces };
}

function parseStorage(value: unknown): { root: string; runRoot: string } {
  const fields = takeObject(value, 'runtime.containersStorage', ['root', 'runRoot']);
  return {
    root: takePath(fields.root ?? '/var/lib/containers/storage', 'runtime.containersStorage.root'),
    runRoot: takePath(fields.runRoot ?? '/run/containers/storage', 'runtime.containersStorage.runRoot'),
  };
}

function parseTls(value: unknown): AgentConfig['tls'] {
  const fields = takeObject(value, 'tls', ['ca', 'cert', 'key']);
  return {
    ca: takePath(fields.ca, 'tls.ca'),
    cert: takePath(fields.cert, 'tls.cert'),
    key: takePath(fields.key, 'tls.key'),
  };
}

function parseVerifier(value: unknown): { address: string } {
  const fields = takeObject(value, 'verifier', ['address']);
  return { address: takeAddress(fields.address, 'verifier.address', 1) };
}

function takeObject(value: unknown, name: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(`${name} must be an object`);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw refuse(`${name} has an unknown field "${unknown}"; known are ${known.join(', ')}`);
  return { ...value };
}

function takeText(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw refuse(`${name} must be a text`);
  return value;
}

function takePath(value: unknown, name: string): string {
  const path = takeText(value, name);
  if (!path.startsWith('/')) throw refuse(`${name} must be an absolute path, not "${path}"`);
  return path;
}

function takeMatch(value: unknown, name: string, pattern: RegExp, meaning: string): string {
  const text = takeText(value, name);
  if (!pattern.test(text)) throw refuse(`${name} must be ${meaning}`);
  return text;
}

function takeAddress(value: unknown, name: string, lowestPort: number): string {
  const address = takeText(value, name);
  const port = Number(HOST_AND_PORT.exec(address)?.[2] ?? -1);
  if (port < lowestPort || port > 65_535) throw refuse(`${name} must be host:port, not "${address}"`);
  return address;
}

function takeInteger(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw refuse(`${name} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

function takeBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw refuse(`${name} must be true or false`);
  return value;
}

function takeOneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === value);
  if (choice === undefined) throw refuse(`${name} must be one of ${choices.join(', ')}`);
  return choice;
}

function refuse(message: string): AgentError {
  return new AgentError('ERR_AGENT_CONFIG', message);
}
