import { encodeAkTemplate, encodeSigningTemplate } from '@holdfast/evidence';
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
}

export type KeysReplaced = 'firstStart' | 'otherEk' | 'foreignBlobs';

export interface TpmKeyRingDeps {
  queue: TpmQueue;
  state: StateDirectory;
  ekTemplate: { name: EkTemplateName; public: Buffer };
  randomBytes(size: number): Buffer;
  /** New keys were made: the agent must enrol again. */
  onReplaced(reason: KeysReplaced): void;
}

const FILE = 'keys.json';
const PREVIOUS_FILE = 'keys.previous.json';
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
 * own (it was cleared); the old file is kept as `keys.previous.json`.
 */
export class TpmKeyRing {
  readonly #deps: TpmKeyRingDeps;
  #loaded: { generation: number; keys: LoadedKeys } | undefined;

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

  /** PolicySecret with the endorsement hierarchy opens the low-range EKs; the others take their empty auth value. */
  get ekPolicy(): { ekPolicy?: 'endorsement' } {
    return this.#deps.ekTemplate.name.startsWith('L') ? { ekPolicy: 'endorsement' } : {};
  }

  async #load(session: TpmSession): Promise<LoadedKeys> {
    if (this.#loaded?.generation === session.generation) return this.#loaded.keys;
    const { device, generation } = session;
    const keys = await this.#withEk(device, async (ek) => {
      const file = await this.#readFile();
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

  async #readFile(): Promise<KeyFile | undefined> {
    const bytes = await this.#deps.state.read(FILE, MAX_FILE_BYTES);
    return bytes && parseKeyFile(bytes);
  }

  async #replace(device: TpmDevice, ek: Ek, reason: KeysReplaced): Promise<LoadedKeys> {
    const file: KeyFile = {
      ekTemplate: this.#deps.ekTemplate.name,
      ekName: ek.name,
      ak: await this.#createKey(device, ek, encodeAkTemplate()),
      signing: await this.#createKey(device, ek, encodeSigningTemplate()),
    };
    const keys = await this.#loadFile(device, ek, file);
    if (reason !== 'firstStart') await this.#deps.state.rename(FILE, PREVIOUS_FILE);
    await this.#deps.state.replace(FILE, encodeKeyFile(file));
    this.#deps.onReplaced(reason);
    return keys;
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
      return { device, ak, signing, ...auths, resetCount: clock.readUInt32BE(RESET_COUNT_OFFSET), identity };
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

/** A failed flush must not hide the error that led to it; a dead context has nothing to flush. */
async function flushAll(device: TpmDevice, objects: TpmHandle[]): Promise<void> {
  for (const object of objects) await device.flush(object).catch(() => undefined);
}
