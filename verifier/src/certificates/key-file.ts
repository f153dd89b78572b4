import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { VerifierError } from '../verifier-error.ts';

/** Loads a P-256 private key (PKCS #8 PEM), or makes it where the file is missing. See `loadOrCreateSecret`. */
export function loadOrCreatePrivateKey(path: string): KeyObject {
  const pem = loadOrCreateFile(path, () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  });
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch (cause) {
    throw new VerifierError('ERR_VERIFIER_KEY', `${path} is not a private key in PEM form`, { cause });
  }
  throw new VerifierError('ERR_VERIFIER_KEY', `${path} is not a P-256 key`);
}

/**
 * Loads 32 secret bytes, or makes them where the file is missing, with mode 0600 and written to disk before use. Throws
 * `VerifierError` ERR_VERIFIER_KEY for a wrong size, or when others than the owner may read the file.
 */
export function loadOrCreateSecret(path: string): Buffer {
  const secret = loadOrCreateFile(path, () => randomBytes(32));
  if (secret.length !== 32) throw new VerifierError('ERR_VERIFIER_KEY', `${path} does not hold 32 bytes`);
  return secret;
}

function loadOrCreateFile(path: string, create: () => Buffer): Buffer {
  try {
    return readKeyFile(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const content = create();
  try {
    writeNewFile(path, content);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VerifierError('ERR_VERIFIER_KEY', `cannot write ${path}: ${reason}`, { cause });
  }
  return content;
}

function readKeyFile(path: string): Buffer {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) {
    throw new VerifierError('ERR_VERIFIER_KEY', `others may read ${path}: make it private with chmod 600`);
  }
  return readFileSync(path);
}

function writeNewFile(path: string, content: Buffer): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
