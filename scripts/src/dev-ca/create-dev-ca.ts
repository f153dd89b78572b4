import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** The roles that a certificate may carry as `urn:holdfast:role:…`. */
export type TlsRole = 'agent' | 'verifier' | 'responder' | 'operator' | 'builder' | 'auditor';

export interface IssueOptions {
  commonName: string;
  roles: TlsRole[];
  /** DNS names or IP addresses; empty for a pure client. */
  hosts?: string[];
  /** Defaults to one day. */
  lifetimeMs?: number;
}

export interface IssuedFiles {
  /** The CA certificate that signs all of them. */
  ca: string;
  cert: string;
  key: string;
}

/** A certificate authority for the TLS side of a quickstart or a test. Its key lives in memory only. */
export interface DevCa {
  /** PEM of the CA certificate. */
  readonly certificate: string;
  /** Issues a certificate with a fresh P-256 key; PEM text. */
  issue(options: IssueOptions): Promise<{ certificate: string; key: string; spkiSha256: string }>;
  /** Issues and writes NAME.pem and NAME.key (0600) and ca.pem below `directory`; returns their paths. */
  issueFiles(directory: string, name: string, options: IssueOptions): Promise<IssuedFiles>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Clocks of machines on one network differ by this much without anybody's fault. */
const BACKDATE_MS = 300_000;

x509.cryptoProvider.set(webcrypto);

/** Creates a CA for a private set-up: quickstart and tests. Production brings certificates of its own PKI. */
export async function createDevCa(commonName = 'Holdfast private CA'): Promise<DevCa> {
  const keys = await generateKeys();
  const now = Date.now();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=${commonName}`,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + 30 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = (options: IssueOptions) => issueCertificate(authority, keys.privateKey, options);
  return {
    certificate: authority.toString('pem'),
    issue,
    issueFiles: async (directory, name, options) => {
      const issued = await issue(options);
      return await writeFiles(directory, name, authority.toString('pem'), issued);
    },
  };
}

async function issueCertificate(
  authority: x509.X509Certificate,
  signingKey: webcrypto.CryptoKey,
  options: IssueOptions,
) {
  const keys = await generateKeys();
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${options.commonName}`,
    issuer: authority.subject,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + (options.lifetimeMs ?? DAY_MS)),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(alternativeNames(options)),
    ],
  });
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: certificate.toString('pem'),
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    spkiSha256: createHash('sha256').update(spki).digest('hex'),
  };
}

function alternativeNames(options: IssueOptions): x509.JsonGeneralNames {
  const roles = options.roles.map((role) => ({ type: 'url' as const, value: `urn:holdfast:role:${role}` }));
  const hosts = (options.hosts ?? []).map((host) => ({
    type: isIP(host) ? ('ip' as const) : ('dns' as const),
    value: host,
  }));
  return [...roles, ...hosts];
}

async function writeFiles(
  directory: string,
  name: string,
  authority: string,
  issued: { certificate: string; key: string },
): Promise<IssuedFiles> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = {
    ca: join(directory, 'ca.pem'),
    cert: join(directory, `${name}.pem`),
    key: join(directory, `${name}.key`),
  };
  await writeFile(files.ca, `${authority}\n`);
  await writeFile(files.cert, `${issued.certificate}\n`);
  await writeFile(files.key, `${issued.key}\n`, { mode: 0o600 });
  return files;
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
