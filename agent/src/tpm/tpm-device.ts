/** An object in the TPM; valid only for the device that made it. */
export interface TpmHandle {
  /** nameAlg and digest of the public area. */
  readonly name: Buffer;
  readonly flushed: boolean;
}

/**
 * What the agent needs of a TPM. Structures cross as the TPM's own bytes (TPM 2.0 Library, part 2). Commands reject with an
 * error that carries `code` and, where the TPM answered, its response code as `rc`.
 */
export interface TpmDevice {
  /** TPMS_TIME_INFO. */
  readClock(): Promise<Buffer>;
  createPrimary(options: { hierarchy: 'endorsement'; template: Buffer }): Promise<{
    object: TpmHandle;
    public: Buffer;
    name: Buffer;
  }>;
  create(options: CreateOptions): Promise<{ private: Buffer; public: Buffer }>;
  load(options: LoadOptions): Promise<TpmHandle>;
  quote(options: QuoteOptions): Promise<{ attest: Buffer; signature: Buffer }>;
  /** One quote for each selection, in their order. */
  quoteEach(options: QuoteEachOptions): Promise<{ attest: Buffer; signature: Buffer }[]>;
  certify(options: CertifyOptions): Promise<{ attest: Buffer; signature: Buffer }>;
  sign(options: SignOptions): Promise<{ signature: Buffer }>;
  activateCredential(options: ActivateOptions): Promise<Buffer>;
  /** `selection` is TPML_PCR_SELECTION; the answer says what was read, eight PCRs at most. */
  pcrRead(selection: Buffer): Promise<{ selection: Buffer; digests: Buffer[] }>;
  nvIndexes(): Promise<number[]>;
  nvRead(index: number): Promise<Buffer>;
  flush(object: TpmHandle): Promise<void>;
  close(): Promise<void>;
}

/** Where the parent's use needs PolicySecret(ENDORSEMENT): endorsement keys of the low range of templates. */
interface ParentPolicy {
  parentPolicy?: 'endorsement';
}

export interface CreateOptions extends ParentPolicy {
  parent: TpmHandle;
  template: Buffer;
  authValue: Buffer;
}

export interface LoadOptions extends ParentPolicy {
  parent: TpmHandle;
  private: Buffer;
  public: Buffer;
}

/**
 * How an auth value is shown: proven by HMAC over a session of its own where nothing is said, or sent as it is, at a
 * fraction of the cost (docs/decisions/0004-round-authorization.md).
 */
interface Authorized {
  authValue: Buffer;
  authorization?: 'password';
}

export interface QuoteOptions extends Authorized {
  key: TpmHandle;
  qualifyingData: Buffer;
  /** TPML_PCR_SELECTION. */
  selection: Buffer;
}

export interface QuoteEachOptions extends Omit<QuoteOptions, 'selection'> {
  /** TPML_PCR_SELECTION of each. */
  selections: readonly Buffer[];
}

export interface SignOptions extends Authorized {
  key: TpmHandle;
  /** SHA-256. */
  digest: Buffer;
}

export interface CertifyOptions {
  object: TpmHandle;
  objectAuth: Buffer;
  signer: TpmHandle;
  signerAuth: Buffer;
  qualifyingData: Buffer;
}

export interface ActivateOptions {
  key: TpmHandle;
  keyAuth: Buffer;
  ek: TpmHandle;
  ekPolicy?: 'endorsement';
  /** TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET with their sizes. */
  idObject: Buffer;
  encryptedSecret: Buffer;
}
