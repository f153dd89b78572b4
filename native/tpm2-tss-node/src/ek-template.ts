/** Templates of the TCG EK Credential Profile 2.5, B.3 (low range) and B.4 (high range). */
export type EkTemplateId = 'L-1' | 'L-2' | 'H-1' | 'H-2' | 'H-3';

/** Where a template's certificate lies, and what makes its key. */
export interface EkTemplate {
  id: EkTemplateId;
  /** Key type, in the words of the profile. */
  key: 'RSA 2048' | 'ECC NIST P256' | 'ECC NIST P384';
  /** NV index of the EK certificate. A list to probe: no TPM has all of them. */
  certificateIndex: number;
  /** Persistent handle where provisioning tools put the key. */
  persistentHandle: number;
  /** The key has no user authorization: use it with `ekPolicy: 'endorsement'`. */
  needsPolicy: boolean;
  /** TPMT_PUBLIC for `createPrimary` in the endorsement hierarchy. */
  template: Buffer;
}

const ALG = { rsa: 0x0001, aes: 0x0006, sha256: 0x000b, sha384: 0x000c, null: 0x0010, ecc: 0x0023, cfb: 0x0043 };
const CURVE_P256 = 0x0003;
const CURVE_P384 = 0x0004;

/** fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt. */
const ATTRIBUTES_LOW = 0x000300b2;
/** The same and userWithAuth. */
const ATTRIBUTES_HIGH = 0x000300f2;

/** PolicySecret(TPM_RH_ENDORSEMENT), SHA-256. */
const POLICY_A = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
/** PolicyOR of PolicyA and the NV policy of index 0x01c07f01, SHA-256. */
const POLICY_B_SHA256 = Buffer.from('ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0', 'hex');
/** PolicyOR of PolicyA and the NV policy of index 0x01c07f02, SHA-384. */
const POLICY_B_SHA384 = Buffer.from(
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
  'hex',
);

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

function head(type: number, nameAlg: number, attributes: number, policy: Buffer, keyBits: number): Buffer {
  const symmetric = [uint16(ALG.aes), uint16(keyBits), uint16(ALG.cfb)];
  return Buffer.concat([uint16(type), uint16(nameAlg), uint32(attributes), sized(policy), ...symmetric]);
}

function rsaTemplate(attributes: number, policy: Buffer, unique: Buffer): Buffer {
  const parameters = [uint16(ALG.null), uint16(2048), uint32(0)];
  return Buffer.concat([head(ALG.rsa, ALG.sha256, attributes, policy, 128), ...parameters, sized(unique)]);
}

function eccTemplate(curve: number, attributes: number, policy: Buffer, unique: Buffer): Buffer {
  const wide = curve === CURVE_P384;
  const first = head(ALG.ecc, wide ? ALG.sha384 : ALG.sha256, attributes, policy, wide ? 256 : 128);
  const parameters = [uint16(ALG.null), uint16(curve), uint16(ALG.null)];
  return Buffer.concat([first, ...parameters, sized(unique), sized(unique)]);
}

const NONE = Buffer.alloc(0);

/** Every template that this package knows, in the order in which to look for certificates. */
export const EK_TEMPLATES: readonly EkTemplate[] = [
  {
    id: 'L-1',
    key: 'RSA 2048',
    certificateIndex: 0x01c00002,
    persistentHandle: 0x81010001,
    needsPolicy: true,
    template: rsaTemplate(ATTRIBUTES_LOW, POLICY_A, Buffer.alloc(256)),
  },
  {
    id: 'L-2',
    key: 'ECC NIST P256',
    certificateIndex: 0x01c0000a,
    persistentHandle: 0x81010002,
    needsPolicy: true,
    template: eccTemplate(CURVE_P256, ATTRIBUTES_LOW, POLICY_A, Buffer.alloc(32)),
  },
  {
    id: 'H-1',
    key: 'RSA 2048',
    certificateIndex: 0x01c00012,
    persistentHandle: 0x81010012,
    needsPolicy: false,
    template: rsaTemplate(ATTRIBUTES_HIGH, POLICY_B_SHA256, NONE),
  },
  {
    id: 'H-2',
    key: 'ECC NIST P256',
    certificateIndex: 0x01c00014,
    persistentHandle: 0x81010014,
    needsPolicy: false,
    template: eccTemplate(CURVE_P256, ATTRIBUTES_HIGH, POLICY_B_SHA256, NONE),
  },
  {
    id: 'H-3',
    key: 'ECC NIST P384',
    certificateIndex: 0x01c00016,
    persistentHandle: 0x81010016,
    needsPolicy: false,
    template: eccTemplate(CURVE_P384, ATTRIBUTES_HIGH, POLICY_B_SHA384, NONE),
  },
];

/**
 * A copy of the TPMT_PUBLIC of a template, for `createPrimary` in the endorsement hierarchy.
 * @throws TypeError for an unknown id
 */
export function ekTemplate(id: EkTemplateId): Buffer {
  const found = EK_TEMPLATES.find((known) => known.id === id);
  if (found === undefined) throw new TypeError(`unknown EK template: use ${EK_TEMPLATES.map((t) => t.id).join(', ')}`);
  return Buffer.from(found.template);
}
