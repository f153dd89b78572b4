import {
  constants,
  createCipheriv,
  createECDH,
  createHash,
  createHmac,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';

/** A credential as TPM2_ActivateCredential takes it: both with their sizes. */
export interface TestCredential {
  idObject: Buffer;
  encryptedSecret: Buffer;
}

const ALG_RSA = 0x0001;
const ALG_SHA384 = 0x000c;
const CURVES: Readonly<Record<number, { name: string; bytes: number }>> = {
  3: { name: 'prime256v1', bytes: 32 },
  4: { name: 'secp384r1', bytes: 48 },
};

interface EkPublic {
  hash: 'sha256' | 'sha384';
  keyBits: number;
  /** Type, then the parameters and the unique field after the symmetric algorithm. */
  type: number;
  rest: Buffer;
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

function takeSized(bytes: Buffer): [Buffer, Buffer] {
  const size = bytes.readUInt16BE(0);
  return [bytes.subarray(2, 2 + size), bytes.subarray(2 + size)];
}

function readEkPublic(bytes: Buffer): EkPublic {
  const policySize = bytes.readUInt16BE(8);
  const symmetric = bytes.subarray(10 + policySize);
  return {
    hash: bytes.readUInt16BE(2) === ALG_SHA384 ? 'sha384' : 'sha256',
    keyBits: symmetric.readUInt16BE(2),
    type: bytes.readUInt16BE(0),
    rest: symmetric.subarray(6),
  };
}

function kdfa(hash: string, key: Buffer, label: string, contextU: Buffer, bits: number): Buffer {
  const input = [uint32(1), Buffer.from(`${label}\0`), contextU, uint32(bits)];
  return createHmac(hash, key)
    .update(Buffer.concat(input))
    .digest()
    .subarray(0, bits / 8);
}

function shareSeedByRsa({ hash, rest }: EkPublic): [seed: Buffer, encrypted: Buffer] {
  // Scheme (2), key bits (2), exponent (4), modulus.
  const [modulus] = takeSized(rest.subarray(8));
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const seed = randomBytes(hash === 'sha256' ? 32 : 48);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return [seed, publicEncrypt({ key, padding, oaepHash: hash, oaepLabel: Buffer.from('IDENTITY\0') }, seed)];
}

function shareSeedByEcdh({ hash, rest }: EkPublic): [seed: Buffer, encrypted: Buffer] {
  // Scheme (2), curve (2), KDF (2), x, y.
  const curve = CURVES[rest.readUInt16BE(2)];
  if (curve === undefined) throw new Error('unknown curve');
  const [x, afterX] = takeSized(rest.subarray(6));
  const [y] = takeSized(afterX);
  const pad = (value: Buffer) => Buffer.concat([Buffer.alloc(curve.bytes - value.length), value]);
  const ephemeral = createECDH(curve.name);
  const own = ephemeral.generateKeys();
  const z = ephemeral.computeSecret(Buffer.concat([Buffer.of(4), pad(x), pad(y)]));
  const ownX = own.subarray(1, 1 + curve.bytes);
  const input = [uint32(1), z, Buffer.from('IDENTITY\0'), ownX, pad(x)];
  const seed = createHash(hash).update(Buffer.concat(input)).digest();
  return [seed, Buffer.concat([sized(ownX), sized(own.subarray(1 + curve.bytes))])];
}

/**
 * TPM2_MakeCredential in software (TPM 2.0 Part 1, 24 and Part 3, 12.6), for tests only: written apart from the
 * verifier's own, so that each proves the other.
 */
export function makeTestCredential(ekPublic: Buffer, name: Buffer, secret: Buffer): TestCredential {
  const ek = readEkPublic(ekPublic);
  const [seed, encrypted] = ek.type === ALG_RSA ? shareSeedByRsa(ek) : shareSeedByEcdh(ek);
  const hashBits = ek.hash === 'sha256' ? 256 : 384;
  const symmetricKey = kdfa(ek.hash, seed, 'STORAGE', name, ek.keyBits);
  const cipher = createCipheriv(`aes-${ek.keyBits}-cfb`, symmetricKey, Buffer.alloc(16));
  const identity = Buffer.concat([cipher.update(sized(secret)), cipher.final()]);
  const hmacKey = kdfa(ek.hash, seed, 'INTEGRITY', Buffer.alloc(0), hashBits);
  const integrity = createHmac(ek.hash, hmacKey)
    .update(Buffer.concat([identity, name]))
    .digest();
  return { idObject: sized(Buffer.concat([sized(integrity), identity])), encryptedSecret: sized(encrypted) };
}
