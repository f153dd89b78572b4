import {
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import {
  computeAkQualifiedName,
  computeKid,
  computeName,
  computeUeid,
  encodeAkTemplate,
  encodeSigningTemplate,
  exportSigningJwk,
  parsePublic,
  QUOTE_SELECTIONS,
} from '@holdfast/evidence';

/** A key as a TPM would have it, with the private half at hand. */
export interface SoftwareKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** TPMT_PUBLIC. */
  readonly public: Buffer;
  readonly name: Buffer;
}

/** What a quote is to say beside what it covers. */
export interface QuoteClock {
  clock: bigint;
  resetCount: number;
  restartCount: number;
  safe: boolean;
}

const ECC = '0023';
const SHA256 = '000b';
/** fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt. */
const EK_ATTRIBUTES = '000300b2';
const AES_128_CFB = '000600800043';
const NULL_SCHEME = '0010';
const P256 = '0003';

/**
 * A TPM made of plain keys, for tests of what a verifier must refuse: it signs whatever a test wants signed. Nothing of
 * it is in the product, and no policy would take it for a TPM whose EK somebody vouches for.
 */
export class SoftwareTpm {
  readonly ek = createEk();
  ak = createKey(encodeAkTemplate());
  signing = createKey(encodeSigningTemplate());
  clock: QuoteClock = { clock: 1000n, resetCount: 7, restartCount: 0, safe: true };
  /** PCR values by index; those that are not there are zero. */
  readonly pcrs = new Map<number, Buffer>();

  get ueid(): string {
    return computeUeid(this.ek.name);
  }

  get kid(): string {
    return computeKid(exportSigningJwk(this.signing.publicKey));
  }

  /** Both quotes of a round over this qualifying data. */
  quoteBoth(qualifyingData: Buffer, ak: SoftwareKey = this.ak): { attest: Buffer; signature: Buffer }[] {
    return QUOTE_SELECTIONS.map((selection) => this.quote(qualifyingData, selection, ak));
  }

  quote(qualifyingData: Buffer, selection: Buffer, ak: SoftwareKey = this.ak): { attest: Buffer; signature: Buffer } {
    const pcrDigest = createHash('sha256');
    for (const index of listSelected(selection)) pcrDigest.update(this.pcrs.get(index) ?? Buffer.alloc(32));
    const body = Buffer.concat([this.#encodeHead('8018', qualifyingData, ak), selection, sized(pcrDigest.digest())]);
    return { attest: body, signature: signTpmt(ak.privateKey, body) };
  }

  /** TPM2_Certify of the signing key by the AK. */
  certify(qualifyingData: Buffer, signer: SoftwareKey = this.ak): { attest: Buffer; signature: Buffer } {
    return this.certifyKey(this.signing, qualifyingData, signer);
  }

  /** TPM2_Certify of any key. */
  certifyKey(key: SoftwareKey, qualifyingData: Buffer, signer: SoftwareKey): { attest: Buffer; signature: Buffer } {
    const qualifiedName = Buffer.concat([Buffer.from(SHA256, 'hex'), Buffer.alloc(32)]);
    const names = Buffer.concat([sized(key.name), sized(qualifiedName)]);
    const body = Buffer.concat([this.#encodeHead('8017', qualifyingData, signer), names]);
    return { attest: body, signature: signTpmt(signer.privateKey, body) };
  }

  /** TPM2_ActivateCredential; the structures with their sizes. Throws when the integrity value does not match. */
  activate(idObject: Buffer, encryptedSecret: Buffer, name: Buffer = this.ak.name): Buffer {
    const [x, rest] = takeSized(encryptedSecret.subarray(2));
    const [y] = takeSized(rest);
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(Buffer.from(this.ek.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'));
    const z = ecdh.computeSecret(Buffer.concat([Buffer.of(4), x, y]));
    const ownX = ecdh.getPublicKey().subarray(1, 33);
    const kdfe = [uint32(1), z, Buffer.from('IDENTITY\0'), x, ownX];
    const seed = createHash('sha256').update(Buffer.concat(kdfe)).digest();
    const [integrity, identity] = takeSized(idObject.subarray(2));
    const macKey = kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 256);
    const expected = createHmac('sha256', macKey).update(identity).update(name).digest();
    if (!timingSafeEqual(integrity, expected)) throw new Error('credential is for another key');
    const cipher = createDecipheriv('aes-128-cfb', kdfa(seed, 'STORAGE', name, 128), Buffer.alloc(16));
    const [secret] = takeSized(Buffer.concat([cipher.update(identity), cipher.final()]));
    return secret;
  }

  #encodeHead(type: string, extraData: Buffer, signer: SoftwareKey): Buffer {
    const ek = parsePublic(this.ek.public);
    const qualifiedSigner = computeAkQualifiedName(this.ek.name, ek.nameAlgorithm, parsePublic(signer.public));
    const { clock, resetCount, restartCount, safe } = this.clock;
    return Buffer.concat([
      Buffer.from(`ff544347${type}`, 'hex'),
      sized(qualifiedSigner),
      sized(extraData),
      uint64(clock),
      uint32(resetCount),
      uint32(restartCount),
      Buffer.of(safe ? 1 : 0),
      uint64(42n),
    ]);
  }
}

/** A P-256 key for a template that leaves its unique field empty. */
export function createKey(template: Buffer): SoftwareKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return complete(template.subarray(0, -4), privateKey, publicKey);
}

function createEk(): SoftwareKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const policy = sized(Buffer.alloc(32, 1));
  const head = Buffer.concat([
    Buffer.from(`${ECC}${SHA256}${EK_ATTRIBUTES}`, 'hex'),
    policy,
    Buffer.from(`${AES_128_CFB}${NULL_SCHEME}${P256}${NULL_SCHEME}`, 'hex'),
  ]);
  return complete(head, privateKey, publicKey);
}

function complete(head: Buffer, privateKey: KeyObject, publicKey: KeyObject): SoftwareKey {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const area = Buffer.concat([head, sized(Buffer.from(x, 'base64url')), sized(Buffer.from(y, 'base64url'))]);
  return {
    privateKey: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey,
    public: area,
    name: computeName(parsePublic(area)),
  };
}

function listSelected(selection: Buffer): number[] {
  // Count (4), hash (2), size (1), bitmap.
  const bitmap = selection.subarray(7);
  return Array.from({ length: bitmap.length * 8 }, (_, index) => index).filter(
    (index) => ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0,
  );
}

/** TPMT_SIGNATURE: ECDSA with SHA-256. */
export function signTpmt(key: KeyObject, message: Buffer): Buffer {
  const raw = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([Buffer.from('0018000b', 'hex'), sized(raw.subarray(0, 32)), sized(raw.subarray(32))]);
}

function kdfa(key: Buffer, label: string, contextU: Buffer, bits: number): Buffer {
  const input = [uint32(1), Buffer.from(`${label}\0`), contextU, uint32(bits)];
  return createHmac('sha256', key)
    .update(Buffer.concat(input))
    .digest()
    .subarray(0, bits / 8);
}

function sized(bytes: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

function takeSized(bytes: Buffer): [Buffer, Buffer] {
  const size = bytes.readUInt16BE(0);
  return [bytes.subarray(2, 2 + size), bytes.subarray(2 + size)];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
