import type { Clock } from '../clock.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import type { TpmKeyRing } from '../tpm/tpm-key-ring.ts';
import { type EnrolmentPort, enrol } from './enrol.ts';
import { chooseRenewalTime, type Enrolment, encodeEnrolment, parseEnrolment } from './enrolment-file.ts';

const FILE = 'enrolment.json';
const MAX_FILE_BYTES = 256 * 1024;

export interface EnrollerDeps {
  state: StateDirectory;
  keys: TpmKeyRing;
  clock: Clock;
  kubeNode: string;
  tlsSpkiSha256: string;
  /** Address of the Verifier. */
  verifier: string;
  onEnrolled(enrolment: Enrolment): void;
}

/** Keeps the agent enrolled: for these keys, at this Verifier, with certificates that are not near their end. */
export class Enroller {
  readonly #deps: EnrollerDeps;
  #enrolment: Enrolment | undefined;

  private constructor(deps: EnrollerDeps, enrolment: Enrolment | undefined) {
    this.#deps = deps;
    this.#enrolment = enrolment;
  }

  /** Reads what an earlier run left; a damaged file counts as none, since enrolling again costs nothing. */
  static async open(deps: EnrollerDeps): Promise<Enroller> {
    const bytes = await deps.state.read(FILE, MAX_FILE_BYTES);
    return new Enroller(deps, bytes && parseOrUndefined(bytes));
  }

  /** Certificates as the Verifier gave them last; empty before. */
  get certificates(): readonly Buffer[] {
    return this.#enrolment?.certificates ?? [];
  }

  /** Milliseconds until the enrolment is to be renewed; 0 where there is none. */
  get renewalInMs(): number {
    return this.#enrolment === undefined
      ? 0
      : Math.max(0, chooseRenewalTime(this.#enrolment) - this.#deps.clock.nowMs());
  }

  /** Enrols where there is need, over a stream that `open` makes. Throws as `enrol` does. */
  async ensure(open: () => EnrolmentPort): Promise<void> {
    const kid = await this.#deps.keys.use(({ identity }) => Promise.resolve(identity.kid));
    if (this.#isCurrent(kid)) return;
    const { keys, kubeNode, tlsSpkiSha256, verifier, clock, state } = this.#deps;
    const port = open();
    const result = await enrol(port, { keys, kubeNode, tlsSpkiSha256 }).finally(() => port.close());
    const enrolment: Enrolment = { ...result, verifier, tlsSpkiSha256, enrolledAtMs: clock.nowMs() };
    await state.replace(FILE, encodeEnrolment(enrolment));
    this.#enrolment = enrolment;
    this.#deps.onEnrolled(enrolment);
  }

  /** The Verifier does not know the keys: the next `ensure` enrols. */
  forget(): void {
    this.#enrolment = undefined;
  }

  #isCurrent(kid: string): boolean {
    const enrolment = this.#enrolment;
    if (enrolment === undefined || enrolment.kid !== kid || enrolment.verifier !== this.#deps.verifier) return false;
    return enrolment.tlsSpkiSha256 === this.#deps.tlsSpkiSha256 && this.renewalInMs > 0;
  }
}

function parseOrUndefined(bytes: Buffer): Enrolment | undefined {
  try {
    return parseEnrolment(bytes);
  } catch {
    return undefined;
  }
}
