import { createPublicKey, type KeyObject } from 'node:crypto';
import { DER, DerError, type DerValue, encodeDer, listDer, openDer, readBitBytes, readDer, readOid } from './der.ts';
import { type DistinguishedName, readDistinguishedName } from './distinguished-name.ts';
import { type CertificateExtensions, readExtensions } from './extensions.ts';

/** An X.509 certificate as it was parsed. Unverified: nothing in it holds before a chain was verified. */
export interface Certificate {
  /** Its DER, without what followed. */
  readonly encoded: Buffer;
  /** What the signature covers. */
  readonly signedPart: Buffer;
  /** AlgorithmIdentifier of the signature. */
  readonly signatureAlgorithm: DerValue;
  readonly signature: Buffer;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  readonly extensions: CertificateExtensions;
}

const MAX_BYTES = 32_768;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const RSA_ENCRYPTION = Buffer.from('06092a864886f70d0101010500', 'hex');
const RSAES_OAEP = '1.2.840.113549.1.1.7';

/**
 * Parses a certificate (RFC 5280 §4.1) from the start of the bytes: what follows it is filling, as NV indexes have it,
 * and is left. Encodings that are valid but for DER's rule of one form are taken: long lengths, a default that is
 * written out, key algorithm id-RSAES-OAEP. The signature covers the bytes as they came, so this weakens nothing.
 *
 * Trust status: none. Throws `DerError`.
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_BYTES) throw new DerError('the certificate is too long');
  const whole = readDer(Buffer.from(bytes));
  const [body, algorithm, signature] = openDer(whole);
  if (body === undefined || algorithm === undefined) throw new DerError('the certificate is cut off');
  const [version, ...rest] = openDer(body);
  const fields = version?.tag === VERSION ? rest : [version, ...rest];
  const [, innerAlgorithm, issuer, validity, subject, spki] = fields;
  if (innerAlgorithm === undefined || !innerAlgorithm.encoded.equals(algorithm.encoded)) {
    throw new DerError('the certificate names two signature algorithms');
  }
  const [notBefore, notAfter] = openDer(validity);
  return {
    encoded: whole.encoded,
    signedPart: body.encoded,
    signatureAlgorithm: algorithm,
    signature: readBitBytes(signature),
    issuer: readDistinguishedName(issuer),
    subject: readDistinguishedName(subject),
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    publicKey: readPublicKey(spki),
    extensions: readExtensions(fields.slice(6).find((field) => field?.tag === EXTENSIONS)),
  };
}

const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

function readTime(value: DerValue | undefined): number {
  const pattern = value?.tag === UTC_TIME ? UTC : GENERALIZED;
  const match = pattern.exec(value?.content.toString('latin1') ?? '');
  if (match === null || (value?.tag !== UTC_TIME && value?.tag !== GENERALIZED_TIME)) {
    throw new DerError('a time has not the form it needs');
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // RFC 5280 §4.1.2.5.1: two digits below 50 are of this century.
  const century = value.tag === UTC_TIME ? (year < 50 ? 2000 : 1900) : 0;
  const ms = Date.UTC(century + year, month - 1, day, hour, minute, second);
  if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== day) throw new DerError('a time is of no day');
  return ms;
}

function readPublicKey(spki: DerValue | undefined): KeyObject {
  const [algorithm, key] = openDer(spki);
  if (spki === undefined || key === undefined || algorithm === undefined)
    throw new DerError('the public key is cut off');
  const isOaep = readOid(listDer(algorithm.content)[0]) === RSAES_OAEP;
  const der = isOaep ? encodeDer(DER.sequence, encodeDer(DER.sequence, RSA_ENCRYPTION), key.encoded) : spki.encoded;
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new DerError('the public key cannot be read', { cause });
  }
}
