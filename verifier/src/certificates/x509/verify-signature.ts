import { constants, type KeyObject, verify } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { DER, DerError, listDer, openDer, readOid } from './der.ts';

type Padding = 'pkcs1' | 'pss' | 'ecdsa';

const ALGORITHMS: Readonly<Record<string, readonly [Padding, string]>> = {
  '1.2.840.113549.1.1.11': ['pkcs1', 'sha256'],
  '1.2.840.113549.1.1.12': ['pkcs1', 'sha384'],
  '1.2.840.113549.1.1.13': ['pkcs1', 'sha512'],
  '1.2.840.10045.4.3.2': ['ecdsa', 'sha256'],
  '1.2.840.10045.4.3.3': ['ecdsa', 'sha384'],
  '1.2.840.10045.4.3.4': ['ecdsa', 'sha512'],
};
const PSS = '1.2.840.113549.1.1.10';
const HASHES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
const HASH_FIELD = 0xa0;
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** What the signature of a certificate shows; `weak` for an algorithm or key that must not count. */
export type SignatureCheck = 'good' | 'bad' | 'weak';

/**
 * Checks the signature of a certificate by the key of its issuer: RSA (PKCS #1 v1.5 or PSS, from 2048 bits) or ECDSA
 * (P-256, P-384, P-521), with SHA-256, SHA-384 or SHA-512. Nothing else counts.
 */
export function checkSignature(certificate: Certificate, key: KeyObject): SignatureCheck {
  const algorithm = chooseAlgorithm(certificate);
  if (algorithm === undefined || !isStrong(key)) return 'weak';
  const [padding, hash] = algorithm;
  if ((padding === 'ecdsa') !== (key.asymmetricKeyType === 'ec')) return 'bad';
  const options =
    padding === 'pss'
      ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
      : { key };
  try {
    return verify(hash, certificate.signedPart, options, certificate.signature) ? 'good' : 'bad';
  } catch {
    // A signature of another size than the key's.
    return 'bad';
  }
}

function chooseAlgorithm(certificate: Certificate): readonly [Padding, string] | undefined {
  try {
    return readAlgorithm(certificate);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function readAlgorithm({ signatureAlgorithm }: Certificate): readonly [Padding, string] | undefined {
  const [oid, parameters] = openDer(signatureAlgorithm);
  const name = readOid(oid);
  if (name !== PSS) return Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;
  // Without parameters PSS means SHA-1.
  const field =
    parameters?.tag === DER.sequence ? openDer(parameters).find(({ tag }) => tag === HASH_FIELD) : undefined;
  if (field === undefined) return undefined;
  const hash = readOid(openDer(listDer(field.content)[0])[0]);
  const known = Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined;
  return known === undefined ? undefined : ['pss', known];
}

function isStrong(key: KeyObject): boolean {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return CURVES.includes(namedCurve);
  return key.asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192;
}
