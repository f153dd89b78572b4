import { constants, createCipheriv, createECDH, createHmac, hash, publicEncrypt } from 'node:crypto';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { EvidenceError } from '../evidence-error.ts';
import { hashByName } from './algorithm.ts';
import { deriveKdfa, deriveKdfe, deriveMgf1, encodeLabel } from './kdf.ts';
import { checkEkPublic } from './key-check.ts';
import { publicToKeyObject } from './key-object.ts';
import type { EccPublic, RsaPublic, TpmPublic } from './public-area.ts';

export interface CredentialInput {
  readonly ekPublic: TpmPublic;
  /** Name of the key that must be in the same TPM as the EK: the AK's. */
  readonly name: Uint8Array;
  /** What only that TPM may learn; 1 to 32 bytes. */
  readonly secret: Uint8Array;
  /** Cryptographically secure random bytes. */
  readonly random: (bytes: number) => Uint8Array;
}

/** Both with their 16-bit sizes in front, as TPM2_ActivateCredential takes them. */
export interface Credential {
  /** TPM2B_ID_OBJECT. */
  readonly idObject: Buffer;
  /** TPM2B_ENCRYPTED_SECRET. */
  readonly encryptedSecret: Buffer;
}

interface SharedSeed {
  readonly seed: Buffer;
  /** Body of the TPM2B_ENCRYPTED_SECRET. */
  readonly encrypted: Buffer;
}

const LABEL = 'IDENTITY';

/**
 * What TPM2_MakeCredential does (TPM 2.0 part 1, 24): encrypts a secret so that only the TPM that holds the EK can read
 * it, and only if it also holds the named key. Checks the EK's attributes first. RSA (OAEP) and ECC (one-pass ECDH) EKs
 * with AES in CFB mode and SHA-256, SHA-384 or SHA-512 Names.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_KEY when the EK is no usable endorsement key, `TypeError` for a secret of a wrong
 * length or a random source that does not deliver.
 */
export function makeCredential({ ekPublic, name, secret, random }: CredentialInput): Credential {
  checkEkPublic(ekPublic);
  if (secret.length === 0 || secret.length > 32) throw new TypeError('a credential secret has 1 to 32 bytes');
  const draw = (bytes: number) => drawExactly(random, bytes);
  const { seed, encrypted } = ekPublic.type === 'rsa' ? shareByRsa(ekPublic, draw) : shareByEcdh(ekPublic, draw);
  const idObject = protect(ekPublic, seed, name, secret);
  return {
    idObject: new BinaryWriter().sized16(idObject).finish(),
    encryptedSecret: new BinaryWriter().sized16(encrypted).finish(),
  };
}

function protect(ek: TpmPublic, seed: Buffer, name: Uint8Array, secret: Uint8Array): Buffer {
  const algorithm = ek.nameAlgorithm;
  const { bytes, nodeName } = hashByName(algorithm);
  const keyBits = ek.symmetric?.keyBits;
  if (keyBits === undefined) throw new EvidenceError('ERR_EVIDENCE_KEY', 'EK has no symmetric algorithm');
  const aesKey = deriveKdfa({ algorithm, key: seed, label: 'STORAGE', contextU: name, bytes: keyBits / 8 });
  // The zero IV is the specification's: each key encrypts once.
  const cipher = createCipheriv(`aes-${keyBits}-cfb`, aesKey, Buffer.alloc(16));
  const encIdentity = Buffer.concat([cipher.update(new BinaryWriter().sized16(secret).finish()), cipher.final()]);
  const macKey = deriveKdfa({ algorithm, key: seed, label: 'INTEGRITY', bytes });
  const integrity = createHmac(nodeName, macKey).update(encIdentity).update(name).digest();
  return new BinaryWriter().sized16(integrity).bytes(encIdentity).finish();
}

function shareByRsa(ek: RsaPublic, draw: (bytes: number) => Buffer): SharedSeed {
  const key = publicToKeyObject(ek);
  const seed = draw(hashByName(ek.nameAlgorithm).bytes);
  const block = padOaep(ek, seed, draw);
  return { seed, encrypted: publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block) };
}

/** EME-OAEP (RFC 8017, 7.1.1), done here so that all randomness comes from the caller. */
function padOaep(ek: RsaPublic, message: Buffer, draw: (bytes: number) => Buffer): Buffer {
  const { bytes: hashBytes, nodeName } = hashByName(ek.nameAlgorithm);
  const zeros = Buffer.alloc(ek.keyBits / 8 - message.length - 2 * hashBytes - 2);
  const data = Buffer.concat([hash(nodeName, encodeLabel(LABEL), 'buffer'), zeros, Buffer.of(1), message]);
  const seed = draw(hashBytes);
  const maskedData = xor(data, deriveMgf1(ek.nameAlgorithm, seed, data.length));
  const maskedSeed = xor(seed, deriveMgf1(ek.nameAlgorithm, maskedData, hashBytes));
  return Buffer.concat([Buffer.of(0), maskedSeed, maskedData]);
}

function shareByEcdh(ek: EccPublic, draw: (bytes: number) => Buffer): SharedSeed {
  // Refuses a point off the curve before any secret meets it.
  publicToKeyObject(ek);
  const ephemeral = createECDH(ek.curve === 'P-256' ? 'prime256v1' : 'secp384r1');
  drawPrivateKey(ephemeral, ek.x.length, draw);
  const z = ephemeral.computeSecret(Buffer.concat([Buffer.of(4), ek.x, ek.y]));
  const point = ephemeral.getPublicKey();
  const x = point.subarray(1, 1 + ek.x.length);
  const y = point.subarray(1 + ek.x.length);
  const algorithm = ek.nameAlgorithm;
  const { bytes } = hashByName(algorithm);
  const seed = deriveKdfe({ algorithm, z, label: LABEL, partyU: x, partyV: ek.x, bytes });
  return { seed, encrypted: new BinaryWriter().sized16(x).sized16(y).finish() };
}

/** A scalar of zero or beyond the group order is refused by OpenSSL; the chance of one is below 2^-32. */
function drawPrivateKey(ecdh: ReturnType<typeof createECDH>, bytes: number, draw: (bytes: number) => Buffer): void {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    try {
      ecdh.setPrivateKey(draw(bytes));
      return;
    } catch (error) {
      if (error instanceof TypeError) throw error;
    }
  }
  throw new TypeError('random source gives no private key');
}

function drawExactly(random: (bytes: number) => Uint8Array, bytes: number): Buffer {
  const drawn = random(bytes);
  if (drawn.length !== bytes) throw new TypeError('random source gave another number of bytes');
  return Buffer.from(drawn);
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}
