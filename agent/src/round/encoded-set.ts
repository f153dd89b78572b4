import { hash } from 'node:crypto';
import { type ClaimsSet, encodeClaimsSet } from '@holdfast/evidence';

/** A claims-set as it is sent, and its SHA-256, lower-case hex. */
export interface EncodedSet {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** Encodes the claims-sets of one submodule, which are most often what they were. */
export class SetEncoder {
  #claims: ClaimsSet | undefined;
  #text: string | undefined;
  #set: EncodedSet | undefined;

  /** Gives the set of the last call again where the claims are equal; claims stay what they are. Throws as `encodeClaimsSet`. */
  encode(claims: ClaimsSet): EncodedSet {
    if (this.#set !== undefined && claims === this.#claims) return this.#set;
    const text = JSON.stringify(claims);
    if (this.#set === undefined || text !== this.#text) {
      const bytes = encodeClaimsSet(claims);
      this.#set = { bytes, sha256: hash('sha256', bytes) };
      this.#text = text;
    }
    this.#claims = claims;
    return this.#set;
  }
}
