import type { Attestation, Capability, CreatedObject, HashResult, ObjectPublic, PcrValues } from './tpm-types.ts';

/** Stands for "no such object or session" where a command may have one: ESYS_TR_NONE. */
export const NO_HANDLE = 0xfff;

/** As a `policy`: satisfy PolicySecret of the endorsement hierarchy. ESYS_TR_RH_ENDORSEMENT. */
export const ENDORSEMENT_POLICY = 0x10b;

interface LoadedObject {
  handle: number;
  name: Buffer;
}

interface Command<Args extends object, Value> {
  args: Args;
  value: Value;
}

/**
 * The border to the native part: every command, what goes in and what comes out. Handles are ESYS_TR numbers, hierarchies
 * are TPM_RH numbers, algorithms TPM_ALG_ID numbers; every structure is wire-format bytes. All fields are required.
 */
export interface NativeCommands {
  open: Command<{ tcti: string; exclusive: boolean }, undefined>;
  close: Command<object, undefined>;
  getRandom: Command<{ bytes: number; saltKey: number; session: number }, Buffer>;
  getCapability: Command<{ capability: number; property: number; count: number }, Capability>;
  handles: Command<{ first: number }, number[]>;
  readClock: Command<object, Buffer>;
  pcrRead: Command<{ selection: Buffer }, PcrValues>;
  pcrExtend: Command<{ index: number; digests: Buffer }, undefined>;
  createPrimary: Command<
    { hierarchy: number; template: Buffer; authValue: Buffer; hierarchyAuth: Buffer; saltKey: number },
    LoadedObject & { public: Buffer }
  >;
  create: Command<
    { parent: number; template: Buffer; authValue: Buffer; parentAuth: Buffer; policy: number },
    CreatedObject
  >;
  load: Command<{ parent: number; private: Buffer; public: Buffer; parentAuth: Buffer; policy: number }, LoadedObject>;
  readPublic: Command<{ object: number }, ObjectPublic>;
  fromPersistent: Command<{ handle: number }, LoadedObject>;
  evictControl: Command<{ hierarchy: number; hierarchyAuth: Buffer; object: number; handle: number }, LoadedObject>;
  quote: Command<
    { key: number; authValue: Buffer; qualifyingData: Buffer; selection: Buffer; password: boolean },
    Attestation
  >;
  quoteEach: Command<
    { key: number; authValue: Buffer; qualifyingData: Buffer; selections: readonly Buffer[]; password: boolean },
    Attestation[]
  >;
  certify: Command<
    {
      object: number;
      objectAuth: Buffer;
      signer: number;
      signerAuth: Buffer;
      qualifyingData: Buffer;
      password: boolean;
    },
    Attestation
  >;
  sign: Command<
    { key: number; authValue: Buffer; digest: Buffer; ticket: Buffer; password: boolean },
    { signature: Buffer }
  >;
  activateCredential: Command<
    {
      key: number;
      keyAuth: Buffer;
      ek: number;
      ekAuth: Buffer;
      policy: number;
      idObject: Buffer;
      encryptedSecret: Buffer;
    },
    Buffer
  >;
  nvRead: Command<{ index: number }, Buffer>;
  hash: Command<{ algorithm: number; data: Buffer; hierarchy: number }, HashResult>;
  startAuthSession: Command<{ kind: number; hash: number; saltKey: number; encryption: boolean }, number>;
  policySecret: Command<{ session: number; hierarchy: number; hierarchyAuth: Buffer }, undefined>;
  policyDigest: Command<{ session: number }, Buffer>;
  flush: Command<{ handle: number }, undefined>;
}

export type NativeCommand = keyof NativeCommands;

/** Why a command failed. */
export interface NativeFailure {
  rc: number;
  /** The TPM command or step, such as `TPM2_Quote`. */
  command: string;
  /** Text of libtss2-rc for `rc`, or the native part's own sentence. */
  text: string;
  /** The connection failed: the context takes no more commands. */
  broken: boolean;
  /** The cryptographic self-test failed. */
  selfTest: boolean;
}

export type NativeOutcome<Value> = { failure: NativeFailure } | { value: Value };

/** One connection with one thread of its own. Takes one command at a time. */
export interface NativeContext {
  /** Hands a command to the thread. `false`: it could not be handed over, and `onOutcome` is never called. */
  submit<Name extends NativeCommand>(
    command: Name,
    args: NativeCommands[Name]['args'],
    onOutcome: (outcome: NativeOutcome<NativeCommands[Name]['value']>) => void,
  ): boolean;
  /** The thread has not finished the command yet: no outcome waits for the event loop. */
  isBusy(): boolean;
  /** Gives the thread up where it hangs: nothing is sent any more, nothing is reported, the process may end. */
  abandon(): void;
  /** Ends the thread after its last command. */
  release(): void;
}

/** What the native part says of the libraries it found. */
export interface NativeDescription {
  /** File that holds libtss2-esys. */
  esysPath: string;
  /** File whose OpenSSL functions libtss2-esys calls: its own libcrypto, or the node executable's. */
  cryptoPath: string;
  /** Version text of that OpenSSL. */
  cryptoVersion: string;
}

/** The native module. */
export interface NativeBinding {
  createContext(): NativeContext;
  describe(): NativeDescription;
  /** Ends the threads of all contexts of this JavaScript thread, flushing what they loaded, within a quarter second. */
  releaseAll(): void;
}
