import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { undecided } from './cli-error.ts';
import type { Flags } from './command.ts';
import { explainFileError, readInputFile } from './input-file.ts';

/** What the settings file holds. Paths in it are relative to the file; here they are absolute. */
export interface ClientConfig {
  /** Where the settings came from; null where there is no file. */
  readonly path: string | null;
  readonly agent: string | null;
  readonly verifier: string | null;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null;
  readonly trust: string | null;
  readonly references: string | null;
  /** Settings of the processes, handed to them unread. */
  readonly serve: { readonly agent: Record<string, unknown>; readonly verifier: Record<string, unknown> };
}

const MAX_CONFIG_BYTES = 1 << 20;
const EMPTY: ClientConfig = {
  path: null,
  agent: null,
  verifier: null,
  tls: null,
  trust: null,
  references: null,
  serve: { agent: {}, verifier: {} },
};

export interface ConfigPlaces {
  /** --config. */
  readonly flag: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder that may hold .holdfast/config.json. */
  readonly checkout: string;
}

/** Loads the settings from the first place that names some. A file that was named must exist; the default one need not. */
export async function loadClientConfig(places: ConfigPlaces): Promise<ClientConfig> {
  const named = places.flag ?? places.environment['HOLDFAST_CONFIG'];
  const path = resolve(named ?? `${places.checkout}/.holdfast/config.json`);
  let bytes: Buffer;
  try {
    bytes = await readInputFile(path, MAX_CONFIG_BYTES);
  } catch (error) {
    if (named === undefined && isAbsent(path, error)) return EMPTY;
    throw error;
  }
  return parseClientConfig(bytes, path);
}

/** The default settings are another person's where they cannot be read: then there are none. */
function isAbsent(path: string, error: unknown): boolean {
  const absent = ['ENOENT', 'EACCES'].map((code) => explainFileError(path, Object.assign(new Error(), { code })));
  return error instanceof Error && absent.includes(error.message);
}

/** Reads the settings strictly: an unknown name is an error, so that a misspelt one is never ignored. */
export function parseClientConfig(bytes: Uint8Array, path: string): ClientConfig {
  let value: unknown;
  try {
    value = parseStrictJson(bytes, { maxBytes: MAX_CONFIG_BYTES, maxDepth: 16, maxKeys: 10_000 });
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`settings ${path}: ${error.message}`, error);
    throw error;
  }
  const read = createReader(path);
  const root = read.object(value, 'the document', ['agent', 'verifier', 'tls', 'trust', 'references', 'serve']);
  const agent = read.object(root['agent'] ?? {}, 'agent', ['address']);
  const verifier = read.object(root['verifier'] ?? {}, 'verifier', ['address']);
  const serve = read.object(root['serve'] ?? {}, 'serve', ['agent', 'verifier']);
  return {
    path,
    agent: read.text(agent['address'], 'agent.address'),
    verifier: read.text(verifier['address'], 'verifier.address'),
    tls: root['tls'] === undefined ? null : readTls(read, root['tls']),
    trust: read.file(root['trust'], 'trust'),
    references: read.file(root['references'], 'references'),
    serve: {
      agent: read.object(serve['agent'] ?? {}, 'serve.agent', null),
      verifier: read.object(serve['verifier'] ?? {}, 'serve.verifier', null),
    },
  };
}

type Reader = ReturnType<typeof createReader>;

function createReader(path: string) {
  const refuse = (what: string) => undecided(`settings ${path}: ${what}`);
  const object = (value: unknown, name: string, known: readonly string[] | null): Record<string, unknown> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(`${name} must be an object`);
    const entries = Object.entries(value);
    const stranger = entries.find(([key]) => known !== null && !known.includes(key));
    if (stranger) throw refuse(`${name} has no setting "${stranger[0]}"`);
    return Object.fromEntries(entries);
  };
  const text = (value: unknown, name: string): string | null => {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string' || value === '') throw refuse(`${name} must be a text`);
    return value;
  };
  const file = (value: unknown, name: string): string | null => {
    const relative = text(value, name);
    return relative === null ? null : resolve(dirname(path), relative);
  };
  return { object, text, file, refuse };
}

function readTls(read: Reader, value: unknown): NonNullable<ClientConfig['tls']> {
  const tls = read.object(value, 'tls', ['ca', 'cert', 'key']);
  const ca = read.file(tls['ca'], 'tls.ca');
  const cert = read.file(tls['cert'], 'tls.cert');
  const key = read.file(tls['key'], 'tls.key');
  if (ca === null || cert === null || key === null) throw read.refuse('tls needs ca, cert and key');
  return { ca, cert, key };
}

/** Loads the settings that the flags, the environment and the checkout give. */
export async function loadConfigFor(flags: Flags): Promise<ClientConfig> {
  const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
  return await loadClientConfig({ flag: flags.text('config'), environment: process.env, checkout });
}
