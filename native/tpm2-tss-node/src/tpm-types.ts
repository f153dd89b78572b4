import type { TpmObject, TpmSession } from './tpm-object.ts';

/** `platform` is open to the firmware only, on most machines. */
export type Hierarchy = 'owner' | 'endorsement' | 'null' | 'platform';

/** Hash algorithms that a session, a digest or a PCR bank may use. */
export type HashAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** Which handles to list (TPM 2.0 Part 2, 7.4). */
export type HandleRange = 'pcr' | 'nv' | 'loadedSession' | 'savedSession' | 'transient' | 'persistent';

/**
 * `endorsement`: satisfy a low-range EK's policy with PolicySecret(TPM_RH_ENDORSEMENT), over a session salted to the key;
 * a key that may be used with its authorization value (a high-range EK) is used so. Or a policy session of one's own.
 */
export type KeyPolicy = 'endorsement' | TpmSession;

export interface GetCapabilityOptions {
  /** TPM_CAP (Part 2, 6.12). */
  capability: number;
  property: number;
  count: number;
}

export interface Capability {
  moreData: boolean;
  /** TPMS_CAPABILITY_DATA. */
  data: Buffer;
}

export interface PcrValues {
  updateCounter: number;
  /** TPML_PCR_SELECTION of what was read: the TPM gives at most eight digests a call. */
  selection: Buffer;
  digests: Buffer[];
}

export interface CreatePrimaryOptions {
  hierarchy: Hierarchy;
  /** TPMT_PUBLIC. */
  template: Buffer;
  /** Authorization value of the new object, at most 64 bytes. Travels in the clear unless `saltKey` is given. */
  authValue?: Buffer | undefined;
  /** Authorization value of the hierarchy; empty where it was never set. */
  hierarchyAuth?: Buffer | undefined;
  /** A loaded decryption key of this TPM: parameters are then encrypted under a secret salted to it. */
  saltKey?: TpmObject | undefined;
}

export interface PrimaryObject {
  object: TpmObject;
  /** TPMT_PUBLIC. */
  public: Buffer;
  name: Buffer;
}

export interface CreateOptions {
  parent: TpmObject;
  /** TPMT_PUBLIC. */
  template: Buffer;
  /** Authorization value of the new object, at most 64 bytes; encrypted on its way. */
  authValue?: Buffer | undefined;
  parentAuth?: Buffer | undefined;
  parentPolicy?: KeyPolicy | undefined;
}

export interface CreatedObject {
  /** Content of TPM2B_PRIVATE: readable by this TPM only. */
  private: Buffer;
  /** TPMT_PUBLIC. */
  public: Buffer;
}

export interface LoadOptions {
  parent: TpmObject;
  private: Buffer;
  public: Buffer;
  parentAuth?: Buffer | undefined;
  parentPolicy?: KeyPolicy | undefined;
}

export interface ObjectPublic {
  /** TPMT_PUBLIC. */
  public: Buffer;
  name: Buffer;
  qualifiedName: Buffer;
}

export interface EvictControlOptions {
  hierarchy: 'owner' | 'platform';
  hierarchyAuth?: Buffer | undefined;
  /** A transient object is made persistent; a persistent one is removed. */
  object: TpmObject;
  /** 0x81000000 to 0x81ffffff. For a persistent object: its own handle. */
  handle: number;
}

/**
 * How an authorization value is shown to the TPM. `hmac` (default): proven over a session of its own, never sent; two more
 * commands and about 3 ms of computing in libtss2. `password`: sent as it is, readable by who listens on the TPM's bus; for
 * commands in quick succession on a TPM whose bus is trusted.
 */
export type AuthorizationMode = 'hmac' | 'password';

export interface QuoteOptions {
  key: TpmObject;
  authValue?: Buffer | undefined;
  authorization?: AuthorizationMode | undefined;
  /** At most 64 bytes. */
  qualifyingData: Buffer;
  /** TPML_PCR_SELECTION. */
  selection: Buffer;
}

export interface QuoteEachOptions extends Omit<QuoteOptions, 'selection'> {
  /** TPML_PCR_SELECTION of each quote, 1 to 16. */
  selections: readonly Buffer[];
}

export interface CertifyOptions {
  object: TpmObject;
  objectAuth?: Buffer | undefined;
  signer: TpmObject;
  signerAuth?: Buffer | undefined;
  /** Of both values. */
  authorization?: AuthorizationMode | undefined;
  qualifyingData: Buffer;
}

export interface Attestation {
  /** TPMS_ATTEST, the bytes that were signed. */
  attest: Buffer;
  /** TPMT_SIGNATURE. */
  signature: Buffer;
}

export interface SignOptions {
  key: TpmObject;
  authValue?: Buffer | undefined;
  authorization?: AuthorizationMode | undefined;
  /** Digest of the key's own hash algorithm. */
  digest: Buffer;
  /** TPMT_TK_HASHCHECK of `hash`: a restricted key demands it. */
  ticket?: Buffer | undefined;
}

export interface ActivateCredentialOptions {
  /** The object whose presence beside the EK is proven. */
  key: TpmObject;
  keyAuth?: Buffer | undefined;
  /** The decryption key of the credential. Also salts the session, so that the secret leaves the TPM encrypted. */
  ek: TpmObject;
  ekAuth?: Buffer | undefined;
  ekPolicy?: KeyPolicy | undefined;
  /** TPM2B_ID_OBJECT with its size. */
  idObject: Buffer;
  /** TPM2B_ENCRYPTED_SECRET with its size. */
  encryptedSecret: Buffer;
}

export interface GetRandomOptions {
  /** A loaded decryption key of this TPM: the bytes then leave the TPM encrypted. */
  saltKey?: TpmObject | undefined;
  /** A session started with `encryption: true`; not together with `saltKey`. */
  session?: TpmSession | undefined;
}

export interface StartAuthSessionOptions {
  kind: 'hmac' | 'policy' | 'trial';
  /** Default sha256. */
  hash?: HashAlgorithm | undefined;
  /** Salts the session to this key (an EK, say): its secret is unknown to whoever listens on the bus. */
  saltKey?: TpmObject | undefined;
  /** AES-128-CFB over the first parameter of commands and responses. Default true. */
  encryption?: boolean | undefined;
}

export interface PolicySecretOptions {
  session: TpmSession;
  hierarchy: Hierarchy;
  hierarchyAuth?: Buffer | undefined;
}

export interface HashOptions {
  algorithm: HashAlgorithm;
  /** At most 1,024 bytes. */
  data: Buffer;
  /** Hierarchy of the ticket. Default `null`: no ticket. */
  hierarchy?: Hierarchy | undefined;
}

export interface HashResult {
  digest: Buffer;
  /** TPMT_TK_HASHCHECK. */
  ticket: Buffer;
}
