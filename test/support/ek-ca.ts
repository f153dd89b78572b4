import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A CA of a maker of TPMs, with its own key; certificates are made by openssl, not by code of ours. */
export interface EkCa {
  readonly subject: string;
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
}

/** What a certificate is to say; what is left out is right. */
export interface EkCertificatePlan {
  /** From now on; -1 for one that has ended. */
  readonly days?: number;
  /** Lines of openssl's extension section. */
  readonly extensions?: readonly string[];
  readonly digest?: string;
}

export const EK_EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,keyAgreement',
  'extendedKeyUsage=2.23.133.8.1',
];
const CA_EXTENSIONS = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'];

/** Makes a CA that signs itself, or one below `issuer`. */
export function createEkCa(name: string, issuer?: EkCa, plan: EkCertificatePlan = {}): EkCa {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = `/O=Maker/CN=${name}`;
  const own = { subject, key, certificate: '' };
  const certificate = issue(subject, publicKey, issuer ?? own, { extensions: CA_EXTENSIONS, ...plan });
  return { ...own, certificate };
}

/** DER of a certificate of an EK. */
export function certifyEk(ek: KeyObject, issuer: EkCa, plan: EkCertificatePlan = {}): Buffer {
  return toDer(issue('/CN=TPM', ek, issuer, { extensions: EK_EXTENSIONS, ...plan }));
}

export function toDer(pem: string): Buffer {
  return new X509Certificate(pem).raw;
}

/** The issuer may be the subject itself, whose certificate is not there yet. */
function issue(subject: string, key: KeyObject, issuer: EkCa, plan: EkCertificatePlan): string {
  const directory = mkdtempSync(join(tmpdir(), 'hf-ek-ca-'));
  const path = (name: string) => join(directory, name);
  const { days = 365, extensions = [], digest = 'sha256' } = plan;
  try {
    writeFileSync(path('issuer.key'), issuer.key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(path('subject.pub'), key.export({ type: 'spki', format: 'pem' }));
    writeFileSync(path('extensions'), `[x]\n${extensions.join('\n')}\n`);
    if (issuer.certificate !== '') writeFileSync(path('issuer.pem'), issuer.certificate);
    // Signed by the issuer's key, since nobody has the private half of an EK; the subject's key is put in its place.
    openssl(['req', '-new', '-key', path('issuer.key'), '-subj', subject, '-out', path('request')]);
    const signer =
      issuer.certificate === ''
        ? ['-signkey', path('issuer.key')]
        : ['-CA', path('issuer.pem'), '-CAkey', path('issuer.key'), '-force_pubkey', path('subject.pub')];
    const content = ['-days', String(days), `-${digest}`, '-extfile', path('extensions'), '-extensions', 'x'];
    return openssl(['x509', '-req', '-in', path('request'), ...signer, '-set_serial', '0x5e1', ...content]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function openssl(args: readonly string[]): string {
  return execFileSync('openssl', [...args], { encoding: 'utf8', stdio: 'pipe' });
}
