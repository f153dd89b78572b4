import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { undecided } from './cli-error.ts';
import { readInputFile } from './input-file.ts';

const MAX_KEY_BYTES = 64 << 10;

/** Reads a private key that can sign references, in PEM form. Throws a sentence for a key that cannot. */
export async function readSigningKey(path: string): Promise<KeyObject> {
  const pem = await readInputFile(path, MAX_KEY_BYTES);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw undecided(`${path} holds no private key in PEM form that can be read without a passphrase`, error);
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const isFit =
    key.asymmetricKeyType === 'ed25519' ||
    ['prime256v1', 'secp384r1'].includes(namedCurve ?? '') ||
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048);
  if (!isFit) throw undecided(`${path} is no key to sign with: take P-256, P-384, Ed25519 or RSA of 2048 bits or more`);
  return key;
}

/** SHA-256 of the public key, hex: the id that an envelope names where none is given. */
export function fingerprintKey(key: KeyObject): string {
  return createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
