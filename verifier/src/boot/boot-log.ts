import { type BootFacts, parseEventLog, type ReplayedBank, readBootFacts, replayEventLog } from '@holdfast/evidence';

/** A boot event log as far as it can be read without a quote. Nothing of it counts before `concludeBoot`. */
export interface BootLog {
  /** Undefined where the log has no SHA-256 digests, which alone are quoted. */
  readonly bank: ReplayedBank | undefined;
  readonly facts: BootFacts;
}

/** Parses and replays a boot event log. Throws `EvidenceError` as `parseEventLog` does. */
export function readBootLog(bytes: Uint8Array): BootLog {
  const log = parseEventLog(bytes);
  return { bank: replayEventLog(log).get('sha256'), facts: readBootFacts(log) };
}
