import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { VerifierTlsConfig } from '../config/verifier-config.ts';
import { VerifierError } from '../verifier-error.ts';
import { readPeer } from './peer.ts';

/** PEM contents of the TLS files. */
export interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the TLS files and checks that each is what it should be, that key and certificate belong together and that the
 * certificate has the role `verifier`. Throws `VerifierError` ERR_VERIFIER_TLS with the path.
 */
export async function loadTlsFiles(config: VerifierTlsConfig): Promise<TlsFiles> {
  const files = { ca: await read(config.ca), cert: await read(config.cert), key: await read(config.key) };
  parse(config.ca, 'certificate', () => new X509Certificate(files.ca));
  const certificate = parse(config.cert, 'certificate', () => new X509Certificate(files.cert));
  const key = parse(config.key, 'private key', () => createPrivateKey(files.key));
  if (!certificate.checkPrivateKey(key)) throw refuse(`${config.key} is not the key of ${config.cert}`);
  if (!readPeer(certificate.raw).roles.has('verifier')) {
    throw refuse(`${config.cert} lacks the role verifier (URI urn:holdfast:role:verifier among its names)`);
  }
  return files;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw refuse(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function parse<T>(path: string, what: string, create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw refuse(`${path} is not a ${what} in PEM form`, cause);
  }
}

function refuse(message: string, cause?: unknown): VerifierError {
  return new VerifierError('ERR_VERIFIER_TLS', message, { cause });
}
