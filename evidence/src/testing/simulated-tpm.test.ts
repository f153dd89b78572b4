import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { encodeAttributes, type ObjectAttributes } from '../tpm/object-attributes.ts';
import { computeAkQualifiedName, computeName } from '../tpm/object-name.ts';
import { encodePcrSelection, type PcrSelection } from '../tpm/pcr-selection.ts';
import { parsePublic } from '../tpm/public-area.ts';

type Curve = 'P-256' | 'P-384';
type Attribute = keyof ObjectAttributes;

export interface SimulatedKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** TPMT_PUBLIC. */
  readonly public: Buffer;
}

interface KeyOptions {
  readonly curve?: Curve;
  readonly scheme?: number | null;
  readonly schemeHash?: number;
  readonly nameAlg?: number;
  /** AES key bits of a storage key. */
  readonly aesBits?: number;
}

const RESIDENT: readonly Attribute[] = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth'];
export const AK_ATTRIBUTES: readonly Attribute[] = [...RESIDENT, 'restricted', 'sign'];
export const SIGNING_ATTRIBUTES: readonly Attribute[] = [...RESIDENT, 'sign'];
export const EK_ATTRIBUTES: readonly Attribute[] = [...RESIDENT, 'restricted', 'decrypt'];

/** An ECC key whose TPMT_PUBLIC says what the test wants it to say. */
export function createSimulatedKey(attributes: readonly Attribute[], options: KeyOptions = {}): SimulatedKey {
  const { curve = 'P-256', scheme = 0x0018, schemeHash = 0x000b, nameAlg = 0x000b, aesBits } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const writer = new BinaryWriter().u16(0x0023).u16(nameAlg).u32(encodeAttributes(attributes)).sized16(Buffer.alloc(0));
  if (aesBits === undefined) writer.u16(0x0010);
  else writer.u16(0x0006).u16(aesBits).u16(0x0043);
  if (scheme === null) writer.u16(0x0010);
  else writer.u16(scheme).u16(schemeHash);
  writer.u16(curve === 'P-256' ? 3 : 4).u16(0x0010);
  writer.sized16(Buffer.from(x, 'base64url')).sized16(Buffer.from(y, 'base64url'));
  return { privateKey, publicKey, public: writer.finish() };
}

export interface AttestFields {
  readonly magic?: number;
  readonly type?: number;
  readonly qualifiedSigner: Uint8Array;
  readonly extraData: Uint8Array;
  readonly clock?: bigint;
  readonly resetCount?: number;
  readonly restartCount?: number;
  readonly safe?: number;
  readonly firmwareVersion?: bigint;
}

/** The part of a TPMS_ATTEST that every type has. */
export function encodeAttestHead(fields: AttestFields): BinaryWriter {
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  return new BinaryWriter()
    .u32(fields.magic ?? 0xff544347)
    .u16(fields.type ?? 0x8018)
    .sized16(fields.qualifiedSigner)
    .sized16(fields.extraData)
    .bytes(u64(fields.clock ?? 1000n))
    .u32(fields.resetCount ?? 7)
    .u32(fields.restartCount ?? 0)
    .u8(fields.safe ?? 1)
    .bytes(u64(fields.firmwareVersion ?? 42n));
}

/** A TPMT_SIGNATURE with ECDSA and SHA-256. */
export function signTpmt(key: KeyObject, message: Uint8Array): Buffer {
  const raw = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
  const half = raw.length / 2;
  const writer = new BinaryWriter().u16(0x0018).u16(0x000b);
  return writer.sized16(raw.subarray(0, half)).sized16(raw.subarray(half)).finish();
}

/** EK, AK and signing key of one machine, and PCR values that its quotes cover. */
export class SimulatedTpm {
  readonly ek = createSimulatedKey(EK_ATTRIBUTES, { scheme: null, aesBits: 128 });
  readonly ak = createSimulatedKey(AK_ATTRIBUTES);
  readonly signing = createSimulatedKey(SIGNING_ATTRIBUTES);
  readonly pcrs = new Map(Array.from({ length: 24 }, (_, index) => [index, Buffer.alloc(32, index)]));

  get ekName(): Buffer {
    return computeName(parsePublic(this.ek.public));
  }

  get akName(): Buffer {
    return computeName(parsePublic(this.ak.public));
  }

  get qualifiedSigner(): Buffer {
    return computeAkQualifiedName(this.ekName, 'sha256', parsePublic(this.ak.public));
  }

  /** TPM2_Quote, with whatever the test wants otherwise. */
  quote(
    extraData: Uint8Array,
    selection: readonly PcrSelection[],
    changes: Partial<AttestFields> & { signer?: KeyObject; pcrDigest?: Uint8Array } = {},
  ): { attest: Buffer; signature: Buffer } {
    const attest = encodeAttestHead({ qualifiedSigner: this.qualifiedSigner, extraData, ...changes })
      .bytes(encodePcrSelection(selection))
      .sized16(changes.pcrDigest ?? this.composite(selection))
      .finish();
    return { attest, signature: signTpmt(changes.signer ?? this.ak.privateKey, attest) };
  }

  /** TPM2_Certify by the AK. */
  certify(
    extraData: Uint8Array,
    name: Uint8Array,
    changes: Partial<AttestFields> & { signer?: KeyObject } = {},
  ): { attest: Buffer; signature: Buffer } {
    const head = { qualifiedSigner: this.qualifiedSigner, extraData, type: 0x8017, ...changes };
    const attest = encodeAttestHead(head).sized16(name).sized16(name).finish();
    return { attest, signature: signTpmt(changes.signer ?? this.ak.privateKey, attest) };
  }

  composite(selection: readonly PcrSelection[]): Buffer {
    const hash = createHash('sha256');
    for (const { pcrs } of selection) for (const pcr of pcrs) hash.update(this.pcrs.get(pcr) ?? Buffer.alloc(32));
    return hash.digest();
  }
}
