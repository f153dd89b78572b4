import { hash } from 'node:crypto';
import { EVENT_TYPE } from './event-type.ts';
import type { LogAlgorithm } from './log-algorithm.ts';
import type { EventLog, LogEvent } from './parse-event-log.ts';

/** One bank after the replay of a log. */
export interface ReplayedBank {
  readonly algorithm: LogAlgorithm;
  /** Value by PCR, for those that the log extends. */
  readonly pcrs: ReadonlyMap<number, Buffer>;
  /** PCRs with an event that has no digest of this bank: their values cannot be those of a TPM. */
  readonly incomplete: ReadonlySet<number>;
}

/**
 * Whose arithmetic: that of a TPM and the profile, or that of tpm2_eventlog 5.4, which extends EV_NO_ACTION events but
 * for the first, and knows no startup locality. The latter is for comparison with that tool's output, never with a TPM.
 */
type ReplayRules = 'tpm' | 'tpm2-eventlog';

const LOCALITY_SIGNATURE = Buffer.from('StartupLocality\0', 'ascii');
const HCRTM_LOCALITY = 4;

/**
 * Computes the PCRs that result when the log is extended into a TPM that has just started: zero, but for PCR 0 with the
 * startup locality in its last byte (3 or 4, or an H-CRTM event). EV_NO_ACTION extends nothing. PCRs 17 to 22 start from
 * zero, as they do after a dynamic launch. Banks whose algorithm cannot be computed are left out.
 *
 * The values say nothing until a quote has them.
 */
export function replayEventLog(log: EventLog, rules: ReplayRules = 'tpm'): ReadonlyMap<string, ReplayedBank> {
  const isTpm = rules === 'tpm';
  const locality = isTpm ? (findStartupLocality(log.events) ?? 0) : 0;
  const extended = log.events.filter(
    ({ typeId, index }) => typeId !== EVENT_TYPE.EV_NO_ACTION || (!isTpm && index > 0),
  );
  const banks = log.algorithms.flatMap(({ nodeName, ...algorithm }) =>
    nodeName === null ? [] : [replayBank(extended, { ...algorithm, nodeName }, locality)],
  );
  return new Map(banks.map((bank) => [bank.algorithm.name, bank]));
}

/**
 * The locality from which the TPM was started: what an EV_NO_ACTION before the first measurement into PCR 0 says, or 4
 * when the first is of an H-CRTM. Undefined where the log says nothing of it, which means 0.
 */
export function findStartupLocality(events: readonly LogEvent[]): number | undefined {
  const first = events.find(({ pcr, typeId }) => pcr === 0 && typeId !== EVENT_TYPE.EV_NO_ACTION);
  if (first?.typeId === EVENT_TYPE.EV_EFI_HCRTM_EVENT) return HCRTM_LOCALITY;
  const before = events.slice(0, first?.index ?? events.length);
  return before.filter(isStartupLocality).at(-1)?.data.at(LOCALITY_SIGNATURE.length);
}

export function isStartupLocality({ pcr, typeId, data }: LogEvent): boolean {
  const isSigned = data.subarray(0, LOCALITY_SIGNATURE.length).equals(LOCALITY_SIGNATURE);
  return pcr === 0 && typeId === EVENT_TYPE.EV_NO_ACTION && isSigned && data.length === LOCALITY_SIGNATURE.length + 1;
}

function replayBank(
  events: readonly LogEvent[],
  algorithm: LogAlgorithm & { readonly nodeName: string },
  locality: number,
): ReplayedBank {
  const pcrs = new Map<number, Buffer>();
  const incomplete = new Set<number>();
  for (const { pcr, digests } of events) {
    if (pcr === null) continue;
    const digest = digests.get(algorithm.name);
    if (digest === undefined) {
      incomplete.add(pcr);
      continue;
    }
    const before = pcrs.get(pcr) ?? startOf(algorithm.bytes, pcr === 0 ? locality : 0);
    pcrs.set(pcr, hash(algorithm.nodeName, Buffer.concat([before, digest]), 'buffer'));
  }
  return { algorithm, pcrs, incomplete };
}

function startOf(bytes: number, locality: number): Buffer {
  const value = Buffer.alloc(bytes);
  value.writeUInt8(locality, bytes - 1);
  return value;
}
