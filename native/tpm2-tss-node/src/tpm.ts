import { checkBytes, checkInteger, checkOptions, checkWord } from './check-options.ts';
import * as prepare from './command-args.ts';
import type { CommandQueue } from './command-queue.ts';
import { type NativeCommand, type NativeCommands, NO_HANDLE } from './native-binding.ts';
import { resolveReference, retireReference, TpmObject, TpmSession } from './tpm-object.ts';
import type * as types from './tpm-types.ts';

const MAX_UINT32 = 0xffffffff;

/** First handle of each range (TPM 2.0 Part 2, 7.4). */
const HANDLE_RANGES: Readonly<Record<types.HandleRange, number>> = {
  pcr: 0x00000000,
  nv: 0x01000000,
  loadedSession: 0x02000000,
  savedSession: 0x03000000,
  transient: 0x80000000,
  persistent: 0x81000000,
};

/** Deadlines of a context, in ms. */
export interface Deadlines {
  deadlineMs: number;
  keyDeadlineMs: number;
}

/**
 * One connection to a TPM, made by `openTpm`. Commands run one at a time, in the order of the calls, on a thread of
 * their own. Bytes in and out are TPM wire format; nothing that the TPM says is verified here.
 *
 * Every call throws `TypeError` before the TPM is asked when an argument is wrong, and rejects with `TpmError`:
 * `ERR_TPM` (see `rc`), `ERR_TPM_TIMEOUT` and `ERR_TPM_TCTI` (which end the context), `ERR_TPM_DEAD`,
 * `ERR_TPM_CLOSED`, `ERR_TPM_BUSY`.
 */
export class Tpm {
  readonly #queue: CommandQueue;
  readonly #deadlines: Deadlines;

  /** Internal: use `openTpm`. */
  constructor(queue: CommandQueue, deadlines: Deadlines) {
    this.#queue = queue;
    this.#deadlines = deadlines;
  }

  /** `dead` after a timeout or a failed connection: open a new context. */
  get state(): 'open' | 'closed' | 'dead' {
    return this.#queue.state;
  }

  /**
   * Lets the running command end, rejects waiting ones with `ERR_TPM_CLOSED`, flushes what this context loaded, closes
   * the connection. Never rejects; harmless when repeated.
   */
  close(): Promise<void> {
    return this.#queue.close(this.#deadlines.deadlineMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #run<Name extends NativeCommand>(name: Name, args: NativeCommands[Name]['args']) {
    return this.#queue.run(name, args, this.#deadlines.deadlineMs);
  }

  /**
   * Random bytes of the TPM, 1 to 1,024. With `saltKey` or a session they leave the TPM encrypted (Part 3, 16.1).
   */
  async getRandom(bytes: number, options: types.GetRandomOptions = {}): Promise<Buffer> {
    return this.#run('getRandom', prepare.getRandomArgs(this, bytes, options));
  }

  /** TPM2_GetCapability (Part 3, 30.2). */
  async getCapability(options: types.GetCapabilityOptions): Promise<types.Capability> {
    checkOptions(options, ['capability', 'property', 'count'], 'getCapability');
    const { capability, property, count } = options;
    checkInteger(capability, 'capability', 0, MAX_UINT32);
    checkInteger(property, 'property', 0, MAX_UINT32);
    checkInteger(count, 'count', 1, 1024);
    return this.#run('getCapability', { capability, property, count });
  }

  /** Every handle of the range that exists now. */
  async handles(range: types.HandleRange): Promise<number[]> {
    checkWord(range, 'range', Object.keys(HANDLE_RANGES));
    return this.#run('handles', { first: HANDLE_RANGES[range] });
  }

  /** Every defined NV index, such as those with EK certificates (0x01c00002 and on). */
  nvIndexes(): Promise<number[]> {
    return this.handles('nv');
  }

  /** TPM2_ReadClock: TPMS_TIME_INFO (Part 3, 29.1). Not signed. */
  async readClock(): Promise<Buffer> {
    return this.#run('readClock', {});
  }

  /** TPM2_PCR_Read of a TPML_PCR_SELECTION (Part 3, 22.4). Not signed; at most eight digests a call. */
  async pcrRead(selection: Buffer): Promise<types.PcrValues> {
    checkBytes(selection, 'selection', { min: 1, max: 256 });
    return this.#run('pcrRead', { selection });
  }

  /** TPM2_PCR_Extend with a TPML_DIGEST_VALUES (Part 3, 22.2). */
  async pcrExtend(index: number, digests: Buffer): Promise<void> {
    checkInteger(index, 'index', 0, 31);
    checkBytes(digests, 'digests', { min: 1, max: 1024 });
    await this.#run('pcrExtend', { index, digests });
  }

  /** TPM2_CreatePrimary (Part 3, 24.1). The object stays loaded until `flush` or `close`. */
  async createPrimary(options: types.CreatePrimaryOptions): Promise<types.PrimaryObject> {
    const args = prepare.createPrimaryArgs(this, options);
    const created = await this.#queue.run('createPrimary', args, this.#deadlines.keyDeadlineMs);
    const object = new TpmObject(this, created.handle, created.name);
    return { object, public: created.public, name: created.name };
  }

  /** TPM2_Create (Part 3, 12.1), over a session salted to the parent so that `authValue` travels encrypted. */
  async create(options: types.CreateOptions): Promise<types.CreatedObject> {
    return this.#queue.run('create', prepare.createArgs(this, options), this.#deadlines.keyDeadlineMs);
  }

  /** TPM2_Load (Part 3, 12.2). The object stays loaded until `flush` or `close`. */
  async load(options: types.LoadOptions): Promise<TpmObject> {
    const { handle, name } = await this.#run('load', prepare.loadArgs(this, options));
    return new TpmObject(this, handle, name);
  }

  /** TPM2_ReadPublic (Part 3, 12.4). */
  async readPublic(object: TpmObject): Promise<types.ObjectPublic> {
    return this.#run('readPublic', { object: resolveReference(this, object, 'object', 'object') });
  }

  /** A reference to a persistent object, 0x81000000 to 0x81ffffff. */
  async fromPersistent(handle: number): Promise<TpmObject> {
    prepare.checkPersistentHandle(handle, 'handle');
    const found = await this.#run('fromPersistent', { handle });
    return new TpmObject(this, found.handle, found.name);
  }

  /**
   * TPM2_EvictControl (Part 3, 28.5): makes a transient object persistent and returns the persistent one, or removes a
   * persistent one and returns undefined. The transient object stays loaded beside it.
   */
  async evictControl(options: types.EvictControlOptions): Promise<TpmObject | undefined> {
    const { handle, name } = await this.#run('evictControl', prepare.evictControlArgs(this, options));
    if (handle !== NO_HANDLE) return new TpmObject(this, handle, name);
    retireReference(this, options.object);
    return undefined;
  }

  /** TPM2_Quote in the key's own scheme (Part 3, 18.4). */
  async quote(options: types.QuoteOptions): Promise<types.Attestation> {
    return this.#run('quote', prepare.quoteArgs(this, options));
  }

  /**
   * TPM2_Quote for each selection, one after another, as one job of the context's thread: the event loop is woken once,
   * and nothing comes between. Rejects with the first failure. The deadline is that of as many commands.
   */
  async quoteEach(options: types.QuoteEachOptions): Promise<types.Attestation[]> {
    const args = prepare.quoteEachArgs(this, options);
    return this.#queue.run('quoteEach', args, this.#deadlines.deadlineMs * args.selections.length);
  }

  /** TPM2_Certify in the signer's own scheme (Part 3, 18.2). */
  async certify(options: types.CertifyOptions): Promise<types.Attestation> {
    return this.#run('certify', prepare.certifyArgs(this, options));
  }

  /** TPM2_Sign in the key's own scheme (Part 3, 20.2). */
  async sign(options: types.SignOptions): Promise<{ signature: Buffer }> {
    return this.#run('sign', prepare.signArgs(this, options));
  }

  /**
   * TPM2_ActivateCredential (Part 3, 12.5): the secret of the credential, if `key` is in the same TPM as `ek` and has
   * the Name that the credential was made for. It leaves the TPM encrypted under a session salted to `ek`.
   */
  async activateCredential(options: types.ActivateCredentialOptions): Promise<Buffer> {
    return this.#run('activateCredential', prepare.activateCredentialArgs(this, options));
  }

  /** The whole content of an NV index that owner or anybody may read, in chunks that the TPM allows (Part 3, 31.13). */
  async nvRead(index: number): Promise<Buffer> {
    checkInteger(index, 'index', 0x01000000, 0x01ffffff);
    return this.#run('nvRead', { index });
  }

  /** TPM2_Hash (Part 3, 15.4). */
  async hash(options: types.HashOptions): Promise<types.HashResult> {
    return this.#run('hash', prepare.hashArgs(options));
  }

  /** TPM2_StartAuthSession (Part 3, 11.1). The session stays loaded until `flush` or `close`. */
  async startAuthSession(options: types.StartAuthSessionOptions): Promise<TpmSession> {
    const handle = await this.#run('startAuthSession', prepare.startAuthSessionArgs(this, options));
    return new TpmSession(this, handle, options.kind);
  }

  /** TPM2_PolicySecret with a hierarchy's authorization (Part 3, 23.4). */
  async policySecret(options: types.PolicySecretOptions): Promise<void> {
    await this.#run('policySecret', prepare.policySecretArgs(this, options));
  }

  /** TPM2_PolicyGetDigest (Part 3, 23.18). */
  async policyDigest(session: TpmSession): Promise<Buffer> {
    return this.#run('policyDigest', { session: resolveReference(this, session, 'session', 'session') });
  }

  /**
   * Removes a transient object or a session from the TPM; of a persistent object only this reference. Harmless when
   * repeated, and after the context has ended.
   */
  async flush(reference: TpmObject | TpmSession): Promise<void> {
    if (!(reference instanceof TpmObject || reference instanceof TpmSession)) {
      throw new TypeError('flush takes a TpmObject or a TpmSession');
    }
    const handle = retireReference(this, reference);
    if (handle === undefined || this.state !== 'open') return;
    await this.#run('flush', { handle });
  }
}
