import type { SubmoduleName } from '@holdfast/evidence';
import type { RoundRecord } from './round-record.ts';

/** The claims-sets of a round and all that they reach. */
export interface RoundContent {
  /** Encoded claims-sets that the token names as submodules. */
  readonly sets: Readonly<Record<SubmoduleName, Buffer>>;
  /** SHA-256 of each of `sets`, lower-case hex. */
  readonly digests: Readonly<Record<SubmoduleName, string>>;
  /** Claims-sets of containers by SHA-256, hex. */
  readonly containerSets: ReadonlyMap<string, Buffer>;
  /** Inventories and drift documents by SHA-256, hex. */
  readonly blobs: ReadonlyMap<string, Buffer>;
}

/** One round: its token, and its content where that is still at hand. */
export interface Round {
  readonly record: RoundRecord;
  readonly nonces: readonly string[];
  /** Undefined for a round of an earlier run of the agent. */
  readonly content: RoundContent | undefined;
}
