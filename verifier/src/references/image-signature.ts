import { hash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { EFI_SIGNATURE_TYPE, type EfiSignature } from '@holdfast/evidence';
import { DER, DerError, type DerValue, expectDer, openDer, readDer, readOid } from '../certificates/x509/der.ts';
import { VerifierError } from '../verifier-error.ts';

const OID = {
  signedData: '1.2.840.113549.1.7.2',
  indirectData: '1.3.6.1.4.1.311.2.1.4',
  messageDigest: '1.2.840.113549.1.9.4',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;
/** Context-specific, constructed: [0]. */
const TAG_0 = 0xa0;
const MAX_CHAIN = 8;

/** What firmware would look for in db: the image itself, and who signed it. */
export interface SignedImage {
  /** Authenticode digest, SHA-256. */
  readonly digest: Buffer;
  /** PKCS #7 signatures as they stand in the image. */
  readonly signatures: readonly Buffer[];
}

/**
 * Finds the first entry of db by which firmware would start an image, as EDK II does: a certificate that the signer has or
 * that its chain leads to, else the digest of the image. Signatures are verified. Undefined where there is none.
 *
 * Dates of certificates are not looked at, as firmware does not; dbx is not either.
 * Throws `VerifierError` ERR_VERIFIER_REFERENCE for a signature that cannot be read.
 */
export function findImageAuthority(image: SignedImage, db: readonly EfiSignature[]): EfiSignature | undefined {
  for (const signature of image.signatures) {
    const chain = verifyImageSignature(signature, image.digest);
    const found = db.find(
      ({ type, data }) => type === EFI_SIGNATURE_TYPE.x509 && chain.some((each) => isIn(each, data)),
    );
    if (found !== undefined) return found;
  }
  return db.find(({ type, data }) => type === EFI_SIGNATURE_TYPE.sha256 && data.equals(image.digest));
}

/** Whether a certificate of db is this one or issued it. */
function isIn(certificate: X509Certificate, trusted: Buffer): boolean {
  if (certificate.raw.equals(trusted)) return true;
  const issuer = tryParse(trusted);
  return issuer !== undefined && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function tryParse(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // A key that cannot be read shows only when it is asked for.
    return certificate.publicKey.type === 'public' ? certificate : undefined;
  } catch {
    // db may hold what is no certificate; it then vouches for nothing.
    return undefined;
  }
}

/** The verified signer's certificate and those above it in the signature, from the leaf on; empty where it does not hold. */
function verifyImageSignature(signature: Buffer, digest: Buffer): X509Certificate[] {
  try {
    return readSignedData(signature, digest);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    const message = `the signature of the image cannot be read: ${error.message}`;
    throw new VerifierError('ERR_VERIFIER_REFERENCE', message, { cause: error });
  }
}

function readSignedData(signature: Buffer, digest: Buffer): X509Certificate[] {
  const [type, wrapped] = openDer(readDer(signature));
  if (readOid(type) !== OID.signedData) throw new DerError('it is no signed data');
  const [content] = openDer(wrapped, TAG_0);
  const [, , encapsulated, certificates, ...rest] = openDer(content);
  const indirect = readIndirectData(encapsulated, digest);
  const known = openDer(certificates, TAG_0).flatMap(({ encoded }) => tryParse(encoded) ?? []);
  const signers = openDer(rest.at(-1), DER.set);
  if (indirect === undefined) return [];
  for (const signer of signers) {
    const leaf = listSigners(signer, known).find((each) => isSigned(signer, indirect, each.publicKey));
    if (leaf !== undefined) return buildChain(leaf, known);
  }
  return [];
}

/** SpcIndirectDataContent: what was signed, where it names the digest of this image. */
function readIndirectData(value: DerValue | undefined, digest: Buffer): Buffer | undefined {
  const [type, wrapped] = openDer(value);
  if (readOid(type) !== OID.indirectData) throw new DerError('it signs no image');
  const [spc] = openDer(wrapped, TAG_0);
  const [, info] = openDer(spc);
  const [algorithm, value256] = openDer(info);
  const [oid] = openDer(algorithm);
  const isThisImage = readOid(oid) === OID.sha256 && expectDer(value256, DER.octetString).equals(digest);
  return isThisImage ? spc?.content : undefined;
}

function listSigners(signer: DerValue, known: readonly X509Certificate[]): X509Certificate[] {
  const [, issuerAndSerial] = openDer(signer);
  const [issuer, serial] = openDer(issuerAndSerial);
  return known.filter(({ raw }) => {
    const [body] = openDer(readDer(raw));
    const fields = openDer(body);
    // The version, which stands first, may be left out.
    const at = fields[0]?.tag === TAG_0 ? 1 : 0;
    const isSerial = serial !== undefined && fields[at]?.encoded.equals(serial.encoded) === true;
    return isSerial && issuer !== undefined && fields[at + 2]?.encoded.equals(issuer.encoded) === true;
  });
}

/** The signature is over the attributes, with the tag of a SET, and one of them has the digest of the content. */
function isSigned(signer: DerValue, content: Buffer, key: KeyObject): boolean {
  const [, , , attributes, , signature] = openDer(signer);
  if (attributes?.tag !== TAG_0) return false;
  const digest = openDer(attributes, TAG_0).flatMap((attribute) => {
    const [oid, values] = openDer(attribute);
    return readOid(oid) === OID.messageDigest ? openDer(values, DER.set).map((value) => value.content) : [];
  });
  const [stated] = digest;
  if (digest.length !== 1 || stated?.equals(hash('sha256', content, 'buffer')) !== true) return false;
  const signed = Buffer.concat([Buffer.of(DER.set), attributes.encoded.subarray(1)]);
  return key.asymmetricKeyType === 'rsa' && verify('sha256', signed, key, expectDer(signature, DER.octetString));
}

function buildChain(leaf: X509Certificate, known: readonly X509Certificate[]): X509Certificate[] {
  const chain = [leaf];
  while (chain.length < MAX_CHAIN) {
    const last = chain.at(-1);
    const issuer = known.find((each) => last !== undefined && !chain.includes(each) && isIssued(last, each));
    if (issuer === undefined) break;
    chain.push(issuer);
  }
  return chain;
}

function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
