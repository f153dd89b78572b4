import { createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Signer } from '../ear/signer.ts';
import { VerifierError } from '../verifier-error.ts';
import { type CertificateIssuer, createAuthorityCertificate, createCertificateIssuer } from './certificate-issuer.ts';
import { createFileSigner } from './file-signer.ts';
import { loadOrCreatePrivateKey, loadOrCreateSecret } from './key-file.ts';

/** A key that others need in their trust file to rely on this verifier; `role` as there. */
export type PublishedKey =
  | { readonly id: string; readonly role: 'enrolment'; readonly certificate: string }
  | { readonly id: string; readonly role: 'result'; readonly publicKey: string };

/** The verifier's own keys. */
export interface VerifierKeys {
  /** Certifies the keys of enrolled kube nodes. */
  readonly issuer: CertificateIssuer;
  /** Signs Attestation Results. */
  readonly resultSigner: Signer;
  readonly nonceKey: Buffer;
  /** PEM, for the trust files of relying parties. */
  readonly published: readonly PublishedKey[];
}

/**
 * Loads the verifier's keys from its state directory, and makes those that are missing: `enrolment.key` with
 * `enrolment-ca.pem`, `result.key`, `nonce.key`, all 0600. Writes `published-keys.json`, the entries that a trust file
 * needs. Calling it before the first start lets a trust file be written first.
 *
 * Throws `VerifierError` ERR_VERIFIER_KEY when a file is not what it should be, or may be read by others.
 */
export async function loadVerifierKeys(stateDir: string, verifierId: string): Promise<VerifierKeys> {
  await prepareDirectory(stateDir);
  const enrolmentKey = loadOrCreatePrivateKey(join(stateDir, 'enrolment.key'));
  const enrolmentSigner = createFileSigner(enrolmentKey);
  const enrolmentSpki = createPublicKey(enrolmentKey).export({ type: 'spki', format: 'der' });
  const certificate = await loadAuthority(join(stateDir, 'enrolment-ca.pem'), enrolmentSpki, async () => {
    const deps = { signer: enrolmentSigner, randomBytes, publicKey: enrolmentSpki, verifierId, nowMs: Date.now() };
    return await createAuthorityCertificate(deps);
  });
  const resultKey = loadOrCreatePrivateKey(join(stateDir, 'result.key'));
  const resultSigner = createFileSigner(resultKey);
  const published: PublishedKey[] = [
    { id: enrolmentSigner.kid, role: 'enrolment', certificate: certificate.toString() },
    { id: resultSigner.kid, role: 'result', publicKey: toPem(createPublicKey(resultKey)) },
  ];
  await replaceFile(join(stateDir, 'published-keys.json'), `${JSON.stringify(published, null, 2)}\n`);
  return {
    issuer: createCertificateIssuer({ signer: enrolmentSigner, certificate: certificate.raw, randomBytes }),
    resultSigner,
    nonceKey: loadOrCreateSecret(join(stateDir, 'nonce.key')),
    published,
  };
}

function toPem(key: ReturnType<typeof createPublicKey>): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

async function prepareDirectory(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await chmod(stateDir, 0o700);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VerifierError('ERR_VERIFIER_KEY', `cannot use ${stateDir} as the state directory: ${reason}`, { cause });
  }
}

async function loadAuthority(path: string, spki: Buffer, create: () => Promise<Buffer>): Promise<X509Certificate> {
  const existing = await readFile(path).catch(() => undefined);
  if (existing === undefined) {
    const made = new X509Certificate(await create());
    await replaceFile(path, made.toString());
    return made;
  }
  const authority = parseCertificate(existing, path);
  if (!authority.publicKey.export({ type: 'spki', format: 'der' }).equals(spki)) {
    throw new VerifierError('ERR_VERIFIER_KEY', `${path} is not the certificate of enrolment.key beside it`);
  }
  return authority;
}

function parseCertificate(bytes: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new VerifierError('ERR_VERIFIER_KEY', `${path} is not a certificate in PEM form`, { cause });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}.tmp`;
  await writeFile(draft, text, { mode: 0o644 });
  await rename(draft, path);
}
