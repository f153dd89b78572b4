import {
  computeKid,
  encodeAkTemplate,
  encodeSigningTemplate,
  exportSigningJwk,
  parsePublic,
  publicToKeyObject,
} from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { EkTemplateName } from '../config/agent-config.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import { encodeKeyFile, type KeyBlob, type KeyFile, parseKeyFile } from './key-file.ts';
import { createKeyIdentity, type KeyIdentity } from './key-identity.ts';
import type { TpmDevice, TpmHandle } from './tpm-device.ts';
import { classifyTpmFailure } from './tpm-failure.ts';
import type { TpmQueue, TpmSession } from './tpm-queue.ts';

/** Keys in the TPM, ready for use within one job. */
export interface LoadedKeys {
  device: TpmDevice;
  ak: TpmHandle;
  akAuth: Buffer;
  signing: TpmHandle;
  signingAuth: Buffer;
  /** Of the TPM's clock when the keys were loaded; it stands still while they stay loaded. */
  resetCount: number;
  identity: KeyIdentity;
  /** By the clock of the kube node, milliseconds since 1970; 0 where it is not known. */
  createdAtMs: number;
}

/** New keys as they are offered to a Verifier while the present ones still speak for the agent. */
export interface SuccessorOffer {
  identity: KeyIdentity;
  /** TPM2_Certify of the new signing key by the new AK, and of the new AK by the present one. */
  certified: { attest: Buffer; signature: Buffer };
  rotation: { attest: Buffer; signature: Buffer };
}

export type KeysReplaced = 'firstStart' | 'otherEk' | 'foreignBlobs';

export interface TpmKeyRingDeps {
  queue: TpmQueue;
  state: StateDirectory;
  ekTemplate: { name: EkTemplateName; public: Buffer };
  randomBytes(size: number): Buffer;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** New keys were made: the agent must enrol again. */
  onReplaced(reason: KeysReplaced): void;
}

const FILE = 'keys.json';
const PREVIOUS_FILE = 'keys.previous.json';
const NEXT_FILE = 'keys.next.json';
/** Tokens of keys that were rotated may still be on their way; a Verifier takes them for a minute. */
const OVERLAP_MS = 30_000;
const MAX_FILE_BYTES = 64 * 1024;
const AUTH_BYTES = 32;
const RESET_COUNT_OFFSET = 16;

/** True where a state directory holds keys of an agent with a TPM. */
export async function hasTpmKeys(state: StateDirectory): Promise<boolean> {
  return (await state.read(FILE, MAX_FILE_BYTES)) !== undefined;
}

/**
 * Life cycle of the AK and the evidence signing key (design §7): random children of the EK with random auth values, kept
 * as blobs that only this TPM loads. They are loaded once for each context and stay until it ends.
 *
 * Keys are made anew where there are none, where the EK is another one, and where the TPM says that the blobs are not its
 * own (it was cleared); the old file is kept as `keys.previous.json`. Rotation makes a successor beside them
 * (`keys.next.json`), which takes their place once a Verifier has enrolled it.
 */
export class TpmKeyRing {
  readonly #deps: TpmKeyRingDeps;
  #loaded: { generation: number; keys: LoadedKeys } | undefined;
  #retired: { kid: string; untilMs: number } | undefined;

  constructor(deps: TpmKeyRingDeps) {
    this.#deps = deps;
  }

  /** Runs a job alone on the TPM with the keys loaded; once more where the TPM lost them behind an open context. */
  use<T>(job: (keys: LoadedKeys) => Promise<T>): Promise<T> {
    return this.#deps.queue.run(async (session) => {
      try {
        return await job(await this.#load(session));
      } catch (error) {
        if (classifyTpmFailure(error) !== 'handleGone') throw error;
        this.#loaded = undefined;
        return await job(await this.#load(session));
      }
    });
  }

  /** Runs a job with the keys and the EK loaded; the EK is flushed behind it. */
  useWithEk<T>(job: (keys: LoadedKeys, ek: TpmHandle) => Promise<T>): Promise<T> {
    return this.use((keys) => this.#withEk(keys.device, (ek) => job(keys, ek.object)));
  }

  /** `kid` of the keys that were rotated a moment ago: their tokens still count. */
  get retiredKid(): string | undefined {
    return this.#retired !== undefined && this.#deps.nowMs() < this.#retired.untilMs ? this.#retired.kid : undefined;
  }

  /** Makes a successor of the present keys, or finds the one that was made before. */
  prepareSuccessor(): Promise<KeyIdentity> {
    return this.#withSuccessor(async (_session, ek, file) =>
      createKeyIdentity(ek, file.ak.public, file.signing.public),
    );
  }

  /** Has the present AK certify the new one, and the new one its signing key, both over the nonce. */
  offerSuccessor(nonce: Buffer): Promise<SuccessorOffer> {
    return this.#withSuccessor(async ({ device }, ek, next) => {
      const present = await this.#readFile(FILE);
      if (present === undefined || !this.#isOurs(present, ek.name)) throw noSuccessor();
      const certify = async (object: KeyBlob, signer: KeyBlob) =>
        await this.#withKeys(device, ek, [object, signer], async ([certified, by]) => {
          if (certified === undefined || by === undefined) throw noSuccessor();
          const auths = { objectAuth: object.auth, signerAuth: signer.auth };
          return await device.certify({ object: certified, signer: by, ...auths, qualifyingData: nonce });
        });
      return {
        identity: createKeyIdentity(ek, next.ak.public, next.signing.public),
        rotation: await certify(next.ak, present.ak),
        certified: await certify(next.signing, next.ak),
      };
    });
  }

  /** Opens a Verifier's credential with the new AK. From then on a Verifier may have the successor. */
  activateSuccessor(credential: { idObject: Buffer; encryptedSecret: Buffer }): Promise<Buffer> {
    return this.#withSuccessor(({ device }, ek, file) =>
      this.#withKeys(device, ek, [file.ak], async ([key]) => {
        if (key === undefined) throw noSuccessor();
        const options = { key, keyAuth: file.ak.auth, ek: ek.object, ...this.ekPolicy };
        const secret = await device.activateCredential({ ...options, ...credential });
        // Before the proof can leave: an answer may be lost, and the process may end.
        await this.#deps.state.replace(NEXT_FILE, encodeKeyFile({ ...file, mayBeEnrolled: true }));
        return secret;
      }),
    );
  }

  /** Whether there is a successor that a Verifier may have enrolled without the agent's knowing. */
  isSuccessorPending(): Promise<boolean> {
    return this.#deps.queue.run(async () => (await this.#readFile(NEXT_FILE))?.mayBeEnrolled === true);
  }

  /** Forgets the successor, as no Verifier has it. */
  discardSuccessor(): Promise<void> {
    return this.#deps.queue.run(() => this.#deps.state.remove(NEXT_FILE));
  }

  /**
   * Puts the successor with this `kid` in the place of the present keys; false where there is none. Whatever moment the
   * process ends in, one of both files is whole.
   */
  promoteSuccessor(kid: string): Promise<boolean> {
    return this.#deps.queue.run(async (session) => {
      const [next, present] = [await this.#readFile(NEXT_FILE), await this.#readFile(FILE)];
      if (next === undefined || present === undefined || computeFileKid(next) !== kid) return false;
      await this.#deps.state.replace(PREVIOUS_FILE, encodeKeyFile(present));
      await this.#deps.state.rename(NEXT_FILE, FILE);
      this.#retired = { kid: computeFileKid(present), untilMs: this.#deps.nowMs() + OVERLAP_MS };
      await this.#unload(session);
      return true;
    });
  }

  /** PolicySecret with the endorsement hierarchy opens the low-range EKs; the others take their empty auth value. */
  get ekPolicy(): { ekPolicy?: 'endorsement' } {
    return this.#deps.ekTemplate.name.startsWith('L') ? { ekPolicy: 'endorsement' } : {};
  }

  async #load(session: TpmSession): Promise<LoadedKeys> {
    if (this.#loaded?.generation === session.generation) return this.#loaded.keys;
    const { device, generation } = session;
    const keys = await this.#withEk(device, async (ek) => {
      const file = await this.#readFile(FILE);
      if (file === undefined) return await this.#replace(device, ek, 'firstStart');
      if (!this.#isOurs(file, ek.name)) return await this.#replace(device, ek, 'otherEk');
      try {
        return await this.#loadFile(device, ek, file);
      } catch (error) {
        if (classifyTpmFailure(error) !== 'foreignBlob') throw error;
        return await this.#replace(device, ek, 'foreignBlobs');
      }
    });
    this.#loaded = { generation, keys };
    return keys;
  }

  /**
   * Runs a job with the EK loaded and the successor's file, which is made where there is none that fits. The present keys
   * make room: a TPM without a resource manager holds three objects, and the EK is one of them.
   */
  #withSuccessor<T>(job: (session: TpmSession, ek: Ek, file: KeyFile) => Promise<T>): Promise<T> {
    return this.#deps.queue.run(async (session) => {
      await this.#unload(session);
      return await this.#withEk(session.device, async (ek) => {
        const kept = await this.#readFile(NEXT_FILE);
        if (kept !== undefined && this.#isOurs(kept, ek.name)) return await job(session, ek, kept);
        const made = await this.#createKeys(session.device, ek);
        await this.#deps.state.replace(NEXT_FILE, encodeKeyFile(made));
        return await job(session, ek, made);
      });
    });
  }

  async #withKeys<T>(device: TpmDevice, ek: Ek, blobs: KeyBlob[], job: (keys: TpmHandle[]) => Promise<T>): Promise<T> {
    const loaded: TpmHandle[] = [];
    try {
      for (const blob of blobs) loaded.push(await this.#loadKey(device, ek, blob));
      return await job(loaded);
    } finally {
      await flushAll(device, loaded);
    }
  }

  /** Frees the room of the loaded keys; the next job loads them again. */
  async #unload({ device, generation }: TpmSession): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    if (loaded?.generation === generation) await flushAll(device, [loaded.keys.ak, loaded.keys.signing]);
  }

  #isOurs(file: KeyFile, ekName: Buffer): boolean {
    return file.ekTemplate === this.#deps.ekTemplate.name && file.ekName.equals(ekName);
  }

  async #withEk<T>(device: TpmDevice, job: (ek: Ek) => Promise<T>): Promise<T> {
    const ek = await device.createPrimary({ hierarchy: 'endorsement', template: this.#deps.ekTemplate.public });
    try {
      return await job(ek);
    } finally {
      await flushAll(device, [ek.object]);
    }
  }

  async #readFile(name: string): Promise<KeyFile | undefined> {
    const bytes = await this.#deps.state.read(name, MAX_FILE_BYTES);
    return bytes && parseKeyFile(bytes);
  }

  async #replace(device: TpmDevice, ek: Ek, reason: KeysReplaced): Promise<LoadedKeys> {
    const file = await this.#createKeys(device, ek);
    const keys = await this.#loadFile(device, ek, file);
    if (reason !== 'firstStart') await this.#deps.state.rename(FILE, PREVIOUS_FILE);
    // Whatever took the present keys took their successor as well.
    await this.#deps.state.remove(NEXT_FILE);
    await this.#deps.state.replace(FILE, encodeKeyFile(file));
    this.#deps.onReplaced(reason);
    return keys;
  }

  async #createKeys(device: TpmDevice, ek: Ek): Promise<KeyFile> {
    return {
      ekTemplate: this.#deps.ekTemplate.name,
      ekName: ek.name,
      createdAtMs: this.#deps.nowMs(),
      ak: await this.#createKey(device, ek, encodeAkTemplate()),
      signing: await this.#createKey(device, ek, encodeSigningTemplate()),
    };
  }

  async #createKey(device: TpmDevice, ek: Ek, template: Buffer): Promise<KeyBlob> {
    const auth = this.#deps.randomBytes(AUTH_BYTES);
    const blob = await device.create({ parent: ek.object, template, authValue: auth, ...this.#parentPolicy });
    return { ...blob, auth };
  }

  async #loadFile(device: TpmDevice, ek: Ek, file: KeyFile): Promise<LoadedKeys> {
    const identity = createKeyIdentity(ek, file.ak.public, file.signing.public);
    const clock = await device.readClock();
    const ak = await this.#loadKey(device, ek, file.ak);
    try {
      const signing = await this.#loadKey(device, ek, file.signing);
      const auths = { akAuth: file.ak.auth, signingAuth: file.signing.auth };
      const resetCount = clock.readUInt32BE(RESET_COUNT_OFFSET);
      return { device, ak, signing, ...auths, resetCount, identity, createdAtMs: file.createdAtMs };
    } catch (error) {
      await flushAll(device, [ak]);
      throw error;
    }
  }

  #loadKey(device: TpmDevice, ek: Ek, blob: KeyBlob): Promise<TpmHandle> {
    const parts = { private: blob.private, public: blob.public };
    return device.load({ parent: ek.object, ...parts, ...this.#parentPolicy });
  }

  get #parentPolicy(): { parentPolicy?: 'endorsement' } {
    return this.#deps.ekTemplate.name.startsWith('L') ? { parentPolicy: 'endorsement' } : {};
  }
}

interface Ek {
  object: TpmHandle;
  public: Buffer;
  name: Buffer;
}

function computeFileKid({ signing }: KeyFile): string {
  return computeKid(exportSigningJwk(publicToKeyObject(parsePublic(signing.public))));
}

function noSuccessor(): AgentError {
  return new AgentError('ERR_AGENT_KEYS', 'the keys changed while they were rotated; it is tried again');
}

/** A failed flush must not hide the error that led to it; a dead context has nothing to flush. */
async function flushAll(device: TpmDevice, objects: TpmHandle[]): Promise<void> {
  for (const object of objects) await device.flush(object).catch(() => undefined);
}
