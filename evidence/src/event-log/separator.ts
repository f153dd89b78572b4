import { hash } from 'node:crypto';
import type { BootFinding } from './boot-finding.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { EventLog, LogEvent } from './parse-event-log.ts';

const FIRST_PCR = 0;
const LAST_PCR = 7;
const SECURE_BOOT_PCR = 7;
const CLOSING = [Buffer.from('00000000', 'hex'), Buffer.from('ffffffff', 'hex')];
const ERROR = Buffer.from('01000000', 'hex');

/**
 * Finds the separators that close the pre-boot state of PCRs 0 to 7. That of PCR 7, before which alone Secure Boot
 * variables count, is found by digest: one whose type was changed still separates. In the others firmware uses the same
 * digest for other things too.
 */
export function findSeparators(log: EventLog): { byPcr: ReadonlyMap<number, LogEvent>; findings: BootFinding[] } {
  const byPcr = new Map<number, LogEvent>();
  const findings: BootFinding[] = [];
  for (let pcr = FIRST_PCR; pcr <= LAST_PCR; pcr += 1) {
    const found = log.events.filter((event) => event.pcr === pcr && isSeparator(log, event));
    const [first, ...more] = found;
    if (first === undefined) {
      const message = `PCR ${pcr} has no separator: what stands in it may have been put there by anybody`;
      findings.push({ code: 'SEPARATOR_MISSING', pcr, index: null, message });
      continue;
    }
    byPcr.set(pcr, first);
    findings.push(...found.flatMap((event) => judgeSeparator(log, event)));
    for (const { index } of more) {
      findings.push({ code: 'SEPARATOR_REPEATED', pcr, index, message: `PCR ${pcr} has more than one separator` });
    }
  }
  return { byPcr, findings };
}

/** Whether a digest is that of a separator. */
export function hasSeparatorDigest(log: EventLog, event: LogEvent): boolean {
  return [...CLOSING, ERROR].some((data) => isDigestOf(log, event, data));
}

function isSeparator(log: EventLog, event: LogEvent): boolean {
  if (event.typeId === EVENT_TYPE.EV_NO_ACTION) return false;
  return event.typeId === EVENT_TYPE.EV_SEPARATOR || (event.pcr === SECURE_BOOT_PCR && hasSeparatorDigest(log, event));
}

function judgeSeparator(log: EventLog, event: LogEvent): BootFinding[] {
  const { pcr, index, type } = event;
  if (event.typeId !== EVENT_TYPE.EV_SEPARATOR) {
    return [{ code: 'SEPARATOR_RETYPED', pcr, index, message: `the separator of PCR ${pcr} says that it is ${type}` }];
  }
  if (!CLOSING.some((data) => isDigestOf(log, event, data))) {
    const message = `the separator of PCR ${pcr} reports an error or is none`;
    return [{ code: 'SEPARATOR_ERROR', pcr, index, message }];
  }
  return [];
}

function isDigestOf({ algorithms }: EventLog, { digests }: LogEvent, data: Buffer): boolean {
  return algorithms.some(({ name, nodeName }) => {
    const digest = digests.get(name);
    return nodeName !== null && digest !== undefined && hash(nodeName, data, 'buffer').equals(digest);
  });
}
