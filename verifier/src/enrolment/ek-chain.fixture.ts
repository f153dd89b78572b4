import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { encodeDer } from '../certificates/x509/der.ts';

/** A time at which everything made here is valid. */
export const NOW = Date.parse('2026-06-01T00:00:00Z');
export const YEAR_MS = 365 * 86_400_000;

/** A key that signs certificates under a name. */
export interface Authority {
  readonly name: string;
  readonly key: KeyObject;
}

/** What stands in a certificate; what is left out is as in a good one. */
export interface CertificatePlan {
  subject?: string;
  issuer: Authority;
  /** A key, or a SubjectPublicKeyInfo as it is. */
  publicKey: KeyObject | Buffer;
  notBeforeMs?: number;
  notAfterMs?: number;
  /** Null leaves the extension out. */
  authority?: { isAuthority: boolean; pathLength?: number } | null;
  /** Number of the bit, as in RFC 5280 §4.2.1.3; null leaves the extension out. */
  keyUsage?: number[] | null;
  extendedKeyUsage?: string | null;
  /** Extensions as they are, `encodeExtension`. */
  more?: Buffer[];
  signature?: { oid: string; hash: string };
  /** Extensions written with the default of `critical` spelt out, and lengths in long form: what DER forbids. */
  sloppy?: boolean;
}

export const KEY_ENCIPHERMENT = 2;
export const KEY_CERT_SIGN = 5;
export const EK_USAGE = '2.23.133.8.1';
const ECDSA_SHA256 = { oid: '1.2.840.10045.4.3.2', hash: 'sha256' };

export function makeKey(namedCurve = 'P-256'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

export function makeAuthority(name: string): Authority {
  return { name, key: makeKey() };
}

/** A certificate of a CA over itself or another one. */
export function certifyAuthority(subject: Authority, issuer: Authority, plan: Partial<CertificatePlan> = {}): Buffer {
  return makeCertificate({
    subject: subject.name,
    issuer,
    publicKey: createPublicKey(subject.key),
    authority: { isAuthority: true },
    keyUsage: [KEY_CERT_SIGN],
    extendedKeyUsage: null,
    ...plan,
  });
}

/** A certificate of an EK. */
export function certifyEk(
  publicKey: KeyObject | Buffer,
  issuer: Authority,
  plan: Partial<CertificatePlan> = {},
): Buffer {
  return makeCertificate({ issuer, publicKey, ...plan });
}

function makeCertificate(plan: CertificatePlan): Buffer {
  const { oid, hash } = plan.signature ?? ECDSA_SHA256;
  const algorithm = sequence(encodeOid(oid));
  const body = sequence(
    encodeDer(0xa0, encodeDer(0x02, Buffer.of(2))),
    encodeDer(0x02, Buffer.of(7)),
    algorithm,
    encodeName(plan.issuer.name),
    sequence(encodeTime(plan.notBeforeMs ?? NOW - YEAR_MS), encodeTime(plan.notAfterMs ?? NOW + YEAR_MS)),
    encodeName(plan.subject ?? ''),
    Buffer.isBuffer(plan.publicKey) ? plan.publicKey : plan.publicKey.export({ type: 'spki', format: 'der' }),
    encodeDer(0xa3, sequence(...listExtensions(plan))),
  );
  const signature = sign(hash, body, plan.issuer.key);
  return sequence(body, algorithm, encodeDer(0x03, Buffer.of(0), signature));
}

function listExtensions(plan: CertificatePlan): Buffer[] {
  const { authority = { isAuthority: false }, keyUsage = [KEY_ENCIPHERMENT], extendedKeyUsage = EK_USAGE } = plan;
  const sloppy = plan.sloppy ?? false;
  return [
    ...(authority === null ? [] : [encodeExtension('2.5.29.19', encodeAuthority(authority), true, sloppy)]),
    ...(keyUsage === null ? [] : [encodeExtension('2.5.29.15', encodeBits(keyUsage), true, sloppy)]),
    ...(extendedKeyUsage === null
      ? []
      : [encodeExtension('2.5.29.37', sequence(encodeOid(extendedKeyUsage)), false, sloppy)]),
    ...(plan.more ?? []),
  ];
}

export function encodeExtension(oid: string, value: Buffer, critical: boolean, sloppy = false): Buffer {
  const flag = critical || sloppy ? [encodeDer(0x01, Buffer.of(critical ? 0xff : 0))] : [];
  const content = Buffer.concat([encodeOid(oid), ...flag, encodeDer(0x04, value)]);
  return sloppy ? Buffer.concat([Buffer.of(0x30, 0x82, 0, content.length), content]) : sequence(content);
}

/** NameConstraints with directory names. */
export function encodeNameConstraints(permitted: readonly string[], excluded: readonly string[]): Buffer {
  const encode = (tag: number, names: readonly string[]) =>
    names.length === 0 ? [] : [encodeDer(tag, ...names.map((name) => sequence(encodeDer(0xa4, encodeName(name)))))];
  return sequence(...encode(0xa0, permitted), ...encode(0xa1, excluded));
}

/** `O=…/CN=…`, empty for no name. Spelt with UTF8String, or PrintableString for an upper-case type. */
export function encodeName(name: string): Buffer {
  const parts = name === '' ? [] : name.split('/');
  const types: Record<string, string> = { C: '2.5.4.6', O: '2.5.4.10', CN: '2.5.4.3' };
  const encodeOne = (part: string) => {
    const [type = '', text = ''] = part.split('=');
    const tag = type === type.toUpperCase() ? 0x13 : 0x0c;
    return encodeDer(
      0x31,
      sequence(encodeOid(types[type.toUpperCase()] ?? '2.5.4.3'), encodeDer(tag, Buffer.from(text))),
    );
  };
  return sequence(...parts.map(encodeOne));
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return encodeDer(0x30, ...parts);
}

function encodeAuthority({ isAuthority, pathLength }: { isAuthority: boolean; pathLength?: number }): Buffer {
  const length = pathLength === undefined ? [] : [encodeDer(0x02, Buffer.of(pathLength))];
  return sequence(...(isAuthority ? [encodeDer(0x01, Buffer.of(0xff))] : []), ...length);
}

function encodeBits(bits: readonly number[]): Buffer {
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  return encodeDer(0x03, Buffer.of(0, byte));
}

function encodeTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const year = Number(digits.slice(0, 4));
  return year < 2050 ? encodeDer(0x17, Buffer.from(`${digits.slice(2)}Z`)) : encodeDer(0x18, Buffer.from(`${digits}Z`));
}

export function encodeOid(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  const encodeArc = (arc: number): number[] =>
    arc < 128 ? [arc] : [...encodeArc(Math.floor(arc / 128)).map((byte) => byte | 0x80), arc & 0x7f];
  return encodeDer(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(encodeArc)));
}
