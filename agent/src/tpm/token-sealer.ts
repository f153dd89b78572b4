import type { SigningJwk } from '@holdfast/evidence';
import type { KeyIdentity } from './key-identity.ts';

/** What the payload says of the keys and the TPM that seal it. */
export interface SealingFacts {
  kid: string;
  /** `kid` of keys that were rotated a moment ago. */
  retiredKid?: string;
  jwk: SigningJwk;
  ueid: string;
  /** resetCount of the TPM; absent without one. */
  bootCount?: number;
  /** To whom a chain belongs: the EK, or the signing key without a TPM. */
  owner: string;
  /** Public keys for a snapshot; absent without a TPM. */
  keys?: KeyIdentity;
}

/** Turns a payload into a token. Whoever holds it can speak as this agent. */
export interface TokenSealer {
  /** Facts as of now; rejects with `AgentError` ERR_AGENT_TPM where the TPM cannot be asked. */
  readFacts(): Promise<SealingFacts>;
  /**
   * Makes the payload, quotes over it where there is a TPM, and signs. `makePayload` gets the facts that hold for this
   * very token and returns P, the base64url text of the payload (design §4.2).
   */
  seal(makePayload: (facts: SealingFacts) => string): Promise<string>;
}
