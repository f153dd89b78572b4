import { EvidenceError } from '../evidence-error.ts';
import type { ObjectAttributes } from './object-attributes.ts';
import type { KeyScheme, TpmPublic } from './public-area.ts';

/** Attributes of every key that can never leave its TPM and was made inside it. */
const RESIDENT = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin'] as const;

/**
 * Checks that a public area is that of an attestation key: resident in one TPM for ever and made there, restricted (it
 * signs nothing but what the TPM itself made), signing only, with a fixed scheme of SHA-256 or longer.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY.
 */
export function checkAkPublic(ak: TpmPublic): void {
  checkAttributes('AK', ak, [...RESIDENT, 'restricted', 'sign'], ['decrypt', 'encryptedDuplication', 'stClear']);
  checkNameAlgorithm('AK', ak);
  if (ak.scheme === null || !isSigningScheme(ak.scheme)) throw refuse('AK', 'it has no fixed signing scheme');
}

/**
 * Checks that a public area is that of an evidence signing key: resident in one TPM for ever and made there, not
 * restricted, signing only, ECDSA over P-256 with SHA-256, which is ES256.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY.
 */
export function checkSigningPublic(signing: TpmPublic): void {
  const forbidden = ['restricted', 'decrypt', 'encryptedDuplication', 'stClear'] as const;
  checkAttributes('signing key', signing, [...RESIDENT, 'sign'], forbidden);
  checkNameAlgorithm('signing key', signing);
  if (signing.type !== 'ecc' || signing.curve !== 'P-256') throw refuse('signing key', 'it is not on P-256');
  if (signing.scheme?.name !== 'ecdsa' || signing.scheme.hash !== 'sha256') {
    throw refuse('signing key', 'its scheme is not ECDSA with SHA-256');
  }
}

/**
 * Checks that a public area is that of an endorsement key: resident, restricted, decrypting only, protecting its
 * children by AES. Says nothing of who made the TPM: that is the certificate's or the operator's word.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY.
 */
export function checkEkPublic(ek: TpmPublic): void {
  checkAttributes('EK', ek, [...RESIDENT, 'restricted', 'decrypt'], ['sign', 'encryptedDuplication', 'stClear']);
  checkNameAlgorithm('EK', ek);
  if (ek.symmetric === null) throw refuse('EK', 'it has no symmetric algorithm');
}

function checkAttributes(
  what: string,
  key: TpmPublic,
  required: readonly (keyof ObjectAttributes)[],
  forbidden: readonly (keyof ObjectAttributes)[],
): void {
  for (const name of required) {
    if (!key.attributes[name]) throw refuse(what, `attribute ${name} is not set`);
  }
  for (const name of forbidden) {
    if (key.attributes[name]) throw refuse(what, `attribute ${name} is set`);
  }
}

/** A Name by a weak hash could stand for two keys. */
function checkNameAlgorithm(what: string, key: TpmPublic): void {
  if (key.nameAlgorithm === 'sha1' || key.nameAlgorithm === 'sm3_256') {
    throw refuse(what, `its Name is made with ${key.nameAlgorithm}`);
  }
}

function isSigningScheme(scheme: KeyScheme): boolean {
  const isSigning = scheme.name === 'ecdsa' || scheme.name === 'rsassa' || scheme.name === 'rsapss';
  return isSigning && scheme.hash !== 'sha1' && scheme.hash !== 'sm3_256';
}

function refuse(what: string, reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_KEY', `${what} refused: ${reason}`);
}
