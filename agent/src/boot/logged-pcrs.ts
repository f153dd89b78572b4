import { EvidenceError, parseEventLog, replayEventLog } from '@holdfast/evidence';

/** The bank that is quoted. */
const BANK = 'sha256';

/**
 * Lists the PCRs that an event log explains in the quoted bank, so that their values need not be told beside it. A log
 * that a Verifier would refuse, or that has no SHA-256 digests, explains nothing and gives an empty set.
 */
export function listLoggedPcrs(log: Buffer): Set<number> {
  try {
    return new Set(replayEventLog(parseEventLog(log)).get(BANK)?.pcrs.keys());
  } catch (error) {
    if (error instanceof EvidenceError) return new Set();
    throw error;
  }
}
