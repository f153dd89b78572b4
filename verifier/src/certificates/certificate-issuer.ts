import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Signer } from '../ear/signer.ts';
import { encodePredecessors } from './predecessors.ts';

/** Which key of a kube node a certificate is about; stands in it as `urn:holdfast:key:…`. */
export type KeyPurpose = 'ak' | 'evidence';

export interface CertificateSubject {
  readonly purpose: KeyPurpose;
  readonly ueid: string;
  /** Name for people. */
  readonly kubeNode: string;
  /** Of an AK: Names of those that were rotated before it, hex, newest first. */
  readonly predecessors?: readonly string[];
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface CertificateIssuer {
  /** DER of the issuing certificate. */
  readonly certificate: Buffer;
  /** Issues a certificate; DER. */
  issue(subject: CertificateSubject): Promise<Buffer>;
}

export interface IssuerDeps {
  readonly signer: Signer;
  readonly certificate: Buffer;
  readonly randomBytes: (size: number) => Uint8Array;
}

/** tcg-kp-AIKCertificate (TCG Credential Profiles for TPM 2.0). */
const AK_USAGE = '2.23.133.8.3';
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CA_LIFETIME_MS = 10 * 365 * 86_400_000;

/**
 * Creates an issuer of certificates for enrolled keys. Each certificate names its key's purpose, the ueid and the kube
 * node as URIs among the subject's alternative names, and that of a rotated AK the ones before it. The signer must be ES256.
 */
export function createCertificateIssuer(deps: IssuerDeps): CertificateIssuer {
  const authority = new x509.X509Certificate(deps.certificate);
  return {
    certificate: deps.certificate,
    issue: async (subject) =>
      await signCertificate(deps, {
        subject: [{ CN: [`${subject.purpose} of ${subject.kubeNode}`] }],
        issuer: authority.subject,
        publicKey: new x509.PublicKey(subject.publicKey),
        notBefore: new Date(subject.notBeforeMs),
        notAfter: new Date(subject.notAfterMs),
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          ...(subject.purpose === 'ak' ? [new x509.ExtendedKeyUsageExtension([AK_USAGE])] : []),
          new x509.SubjectAlternativeNameExtension(
            [...subjectUris(subject), ...encodePredecessors(subject.predecessors ?? [])].map((value) => ({
              type: 'url' as const,
              value,
            })),
          ),
        ],
      }),
  };
}

/** The URIs by which a certificate says what it is about. */
export function subjectUris(subject: Pick<CertificateSubject, 'purpose' | 'ueid' | 'kubeNode'>): string[] {
  return [
    `urn:holdfast:key:${subject.purpose}`,
    `urn:holdfast:ueid:${subject.ueid}`,
    `urn:holdfast:kube-node:${encodeURIComponent(subject.kubeNode)}`,
  ];
}

/** Makes the self-signed certificate of an enrolment CA, ten years long; DER. */
export async function createAuthorityCertificate(
  deps: Omit<IssuerDeps, 'certificate'> & { publicKey: Uint8Array; verifierId: string; nowMs: number },
): Promise<Buffer> {
  const name: x509.JsonName = [{ CN: [`Holdfast enrolment of ${deps.verifierId}`] }];
  return await signCertificate(deps, {
    subject: name,
    issuer: name,
    publicKey: new x509.PublicKey(deps.publicKey),
    notBefore: new Date(deps.nowMs),
    notAfter: new Date(deps.nowMs + CA_LIFETIME_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
}

type Template = Required<
  Pick<x509.X509CertificateCreateWithSignatureParams, 'subject' | 'issuer' | 'notBefore' | 'notAfter' | 'extensions'>
> & { publicKey: x509.PublicKey };

/** The library signs with keys that it holds; a Signer need not give its key away, so it is made twice. */
async function signCertificate(deps: Omit<IssuerDeps, 'certificate'>, template: Template): Promise<Buffer> {
  if (deps.signer.alg !== 'ES256') throw new TypeError('certificates are signed with ES256');
  const parameters = { ...template, serialNumber: newSerial(deps.randomBytes), signingAlgorithm: ALGORITHM };
  const unsigned = await x509.X509CertificateGenerator.create({ ...parameters, signature: new Uint8Array(64).fill(1) });
  const toBeSigned = firstElement(Buffer.from(unsigned.rawData));
  const signature = Uint8Array.from(await deps.signer.sign(toBeSigned));
  return Buffer.from((await x509.X509CertificateGenerator.create({ ...parameters, signature })).rawData);
}

/** The first element inside an outer DER sequence, header included: of a certificate, the part that is signed. */
function firstElement(der: Buffer): Buffer {
  const outer = readHeader(der, 0);
  const inner = readHeader(der, outer.contentAt);
  return der.subarray(outer.contentAt, inner.contentAt + inner.size);
}

function readHeader(der: Buffer, at: number): { contentAt: number; size: number } {
  const first = der.readUInt8(at + 1);
  if (first < 0x80) return { contentAt: at + 2, size: first };
  const bytes = first & 0x7f;
  return { contentAt: at + 2 + bytes, size: der.readUIntBE(at + 2, bytes) };
}

function newSerial(randomBytes: (size: number) => Uint8Array): string {
  const serial = Buffer.from(randomBytes(16));
  // RFC 5280 wants a positive number, and a leading zero byte would not be minimal DER.
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  return serial.toString('hex');
}
