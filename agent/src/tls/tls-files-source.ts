import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AgentError } from '../agent-error.ts';
import type { AgentTlsFiles } from '../config/agent-config.ts';
import { readPeer } from './peer.ts';

/** PEM contents, and what the agent must say of its own key. */
export interface TlsIdentity {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly spkiSha256: string;
}

/**
 * Reads the TLS files and checks that each is what it should be, that key and certificate belong together and that the
 * certificate has the role `agent`. Throws `AgentError` ERR_AGENT_TLS with the path.
 */
export async function loadTlsIdentity(files: AgentTlsFiles): Promise<TlsIdentity> {
  const [ca, cert, key] = [await read(files.ca), await read(files.cert), await read(files.key)];
  parse(files.ca, 'certificate', () => new X509Certificate(ca));
  const certificate = parse(files.cert, 'certificate', () => new X509Certificate(cert));
  const privateKey = parse(files.key, 'private key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new AgentError('ERR_AGENT_TLS', `${files.key} is not the key of ${files.cert}`);
  }
  const { roles, spkiSha256 } = readPeer(certificate);
  if (!roles.has('agent')) {
    const role = 'URI urn:holdfast:role:agent among its names';
    throw new AgentError('ERR_AGENT_TLS', `${files.cert} lacks the role agent (${role})`);
  }
  return { ca, cert, key, spkiSha256 };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('ERR_AGENT_TLS', `cannot read ${path}: ${reason}`, { cause });
  }
}

function parse<T>(path: string, what: string, create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw new AgentError('ERR_AGENT_TLS', `${path} is not a ${what} in PEM form`, { cause });
  }
}
