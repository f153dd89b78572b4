import type { Clock } from '../clock.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import { readRefusalCode } from '../stream/grpc-failure.ts';
import type { TpmKeyRing } from '../tpm/tpm-key-ring.ts';
import { type EnrolmentPort, enrol } from './enrol.ts';
import { chooseRenewalTime, type Enrolment, encodeEnrolment, parseEnrolment } from './enrolment-file.ts';
import { createPresentKeys, createSuccessorKeys, type EnrolmentKeys } from './enrolment-keys.ts';

const FILE = 'enrolment.json';
const MAX_FILE_BYTES = 256 * 1024;
/** The Verifier has enrolled neither the present AK nor its successor. */
const NOT_ROTATED = 'ERR_VERIFIER_ROTATION';

export interface EnrollerDeps {
  state: StateDirectory;
  keys: TpmKeyRing;
  clock: Clock;
  kubeNode: string;
  tlsSpkiSha256: string;
  /** Address of the Verifier. */
  verifier: string;
  /** Age of the keys from which on a renewal of their certificates makes new ones; never where it is left out. */
  keyLifetimeMs?: number;
  onEnrolled(enrolment: Enrolment): void;
  /** The keys were not rotated, or it is not known whether they were. */
  onRotationFailed(error: unknown): void;
}

/** Keeps the agent enrolled: for these keys, at this Verifier, with certificates that are not near their end. */
export class Enroller {
  readonly #deps: EnrollerDeps;
  #enrolment: Enrolment | undefined;
  #running: Promise<void> | undefined;

  private constructor(deps: EnrollerDeps, enrolment: Enrolment | undefined) {
    this.#deps = deps;
    this.#enrolment = enrolment;
  }

  /** Reads what an earlier run left; a damaged file counts as none, since enrolling again costs nothing. */
  static async open(deps: EnrollerDeps): Promise<Enroller> {
    const bytes = await deps.state.read(FILE, MAX_FILE_BYTES);
    const enrolment = bytes && parseOrUndefined(bytes);
    // An earlier run may have ended between the enrolment of new keys and their taking over.
    if (enrolment !== undefined) await deps.keys.promoteSuccessor(enrolment.kid);
    return new Enroller(deps, enrolment);
  }

  /** Certificates as the Verifier gave them last; empty before. */
  get certificates(): readonly Buffer[] {
    return this.#enrolment?.certificates ?? [];
  }

  /** What the TPM holds about its EK, as it was sent in the enrolment; empty before. */
  get ekCertificates(): readonly Buffer[] {
    return this.#enrolment?.ekCertificates ?? [];
  }

  /** Milliseconds until the enrolment is to be renewed; 0 where there is none. */
  get renewalInMs(): number {
    return this.#enrolment === undefined
      ? 0
      : Math.max(0, chooseRenewalTime(this.#enrolment) - this.#deps.clock.nowMs());
  }

  /** Enrols where there is need, over a stream that `open` makes. Called meanwhile it joins in. Throws as `enrol` does. */
  ensure(open: () => EnrolmentPort): Promise<void> {
    this.#running ??= this.#ensure(open).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #ensure(open: () => EnrolmentPort): Promise<void> {
    const { keys } = this.#deps;
    let present = await this.#readPresent();
    const enrolled = this.#enrolment?.kid;
    // The TPM may have been lost between the enrolment of new keys and their taking over.
    if (enrolled !== undefined && enrolled !== present.kid && (await keys.promoteSuccessor(enrolled))) {
      present = await this.#readPresent();
    }
    if (this.#isCurrent(present.kid)) return;
    const isDue = this.#isKnown(present.kid) && this.#isOld(present.createdAtMs);
    if ((isDue || (await keys.isSuccessorPending())) && (await this.#rotate(open))) return;
    await this.#enrol(open(), createPresentKeys(keys));
  }

  #readPresent(): Promise<{ kid: string; createdAtMs: number }> {
    return this.#deps.keys.use(async ({ identity, createdAtMs }) => ({ kid: identity.kid, createdAtMs }));
  }

  /**
   * Enrols new keys while the present ones go on; false where that fails and no Verifier can have the new ones. Throws
   * where one may: the present keys in their place would look like those of a cleared TPM, so the same successor is
   * offered until it is enrolled or the Verifier says that it is not the one that it has.
   */
  async #rotate(open: () => EnrolmentPort): Promise<boolean> {
    const { keys } = this.#deps;
    try {
      await this.#enrol(open(), createSuccessorKeys(keys), (kid) => keys.promoteSuccessor(kid));
      return true;
    } catch (error) {
      this.#deps.onRotationFailed(error);
      if (readRefusalCode(error) === NOT_ROTATED) await keys.discardSuccessor();
      else if (await keys.isSuccessorPending()) throw error;
      return false;
    }
  }

  async #enrol(port: EnrolmentPort, keys: EnrolmentKeys, takeOver?: (kid: string) => Promise<unknown>): Promise<void> {
    const { kubeNode, tlsSpkiSha256, verifier, clock, state } = this.#deps;
    const result = await enrol(port, { keys, kubeNode, tlsSpkiSha256 }).finally(() => port.close());
    const enrolment: Enrolment = { ...result, verifier, tlsSpkiSha256, enrolledAtMs: clock.nowMs() };
    await state.replace(FILE, encodeEnrolment(enrolment));
    this.#enrolment = enrolment;
    await takeOver?.(enrolment.kid);
    this.#deps.onEnrolled(enrolment);
  }

  /** The Verifier does not know the keys: the next `ensure` enrols. */
  forget(): void {
    this.#enrolment = undefined;
  }

  #isCurrent(kid: string): boolean {
    return this.#isKnown(kid) && this.renewalInMs > 0;
  }

  /** Whether this Verifier has enrolled these keys with this TLS key. */
  #isKnown(kid: string): boolean {
    const enrolment = this.#enrolment;
    if (enrolment === undefined || enrolment.kid !== kid || enrolment.verifier !== this.#deps.verifier) return false;
    return enrolment.tlsSpkiSha256 === this.#deps.tlsSpkiSha256;
  }

  #isOld(createdAtMs: number): boolean {
    const { keyLifetimeMs, clock } = this.#deps;
    return keyLifetimeMs !== undefined && clock.nowMs() - createdAtMs >= keyLifetimeMs;
  }
}

function parseOrUndefined(bytes: Buffer): Enrolment | undefined {
  try {
    return parseEnrolment(bytes);
  } catch {
    return undefined;
  }
}
