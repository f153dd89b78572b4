import type { BootFinding, BootQuirk, BootQuirkCode } from './boot-finding.ts';
import { type BootImageFacts, readBootImages } from './boot-images.ts';
import { isDataBound } from './event-data.ts';
import { EVENT_TYPE } from './event-type.ts';
import { type CommandLineFacts, readCommandLines } from './kernel-command-line.ts';
import type { EventLog, LogEvent } from './parse-event-log.ts';
import { findStartupLocality, isStartupLocality } from './replay-event-log.ts';
import { readSecureBoot, type SecureBootFacts } from './secure-boot.ts';
import { findSeparators, hasSeparatorDigest } from './separator.ts';
import { type VerifiedEvent, verifyEventData } from './verified-event.ts';

/** What an event log proves once its replay gives the quoted PCRs, PCR by PCR. */
export interface BootFacts {
  readonly events: readonly VerifiedEvent[];
  readonly secureBoot: SecureBootFacts;
  readonly commandLine: CommandLineFacts;
  readonly images: BootImageFacts;
  /** All of them, those of the parts above too. */
  readonly findings: readonly BootFinding[];
  readonly quirks: readonly BootQuirk[];
}

const SP800_155 = Buffer.from('SP800-155 Event', 'ascii');

/**
 * Reads the facts of a parsed event log: which data its digests cover, separators by digest, Secure Boot, kernel command
 * lines, measured images, and what is odd or wrong with it. Types are never believed: data counts when it hashes to the
 * digest, and the digest counts when a quote has the PCR that the replay gives.
 */
export function readBootFacts(log: EventLog): BootFacts {
  const events = verifyEventData(log);
  const { byPcr, findings: separatorFindings } = findSeparators(log);
  const secureBoot = readSecureBoot(events, byPcr.get(7));
  const commandLine = readCommandLines(events);
  const findings = [
    ...events.flatMap(judgeData),
    ...judgeLocality(log),
    ...log.events.flatMap(judgeNoAction),
    ...separatorFindings,
    ...secureBoot.findings,
    ...commandLine.findings,
  ];
  const quirks = listQuirks(log, events, secureBoot);
  return { events, secureBoot, commandLine, images: readBootImages(events), findings, quirks };
}

function judgeData({ event, dataVerified }: VerifiedEvent): BootFinding[] {
  if (dataVerified || !isDataBound(event)) return [];
  const { pcr, index, type } = event;
  return [{ code: 'EVENT_DATA_MISMATCH', pcr, index, message: `data of ${type} is not what was measured` }];
}

/** Only zero, 3 and 4 exist, and only before the first measurement. */
function judgeLocality(log: EventLog): BootFinding[] {
  const first = log.events.find(({ pcr, typeId }) => pcr === 0 && typeId !== EVENT_TYPE.EV_NO_ACTION);
  const stated = log.events.filter(isStartupLocality);
  const wrong = stated.filter(({ index, data }) => {
    const isLate = first !== undefined && index > first.index;
    return isLate || ![0, 3, 4].includes(data.at(-1) ?? -1);
  });
  const repeated = stated.slice(1);
  return [...new Set([...wrong, ...repeated])].map(({ index }) => {
    const message = 'startup locality is none that exists, late or said twice';
    return { code: 'STARTUP_LOCALITY', pcr: 0, index, message };
  });
}

function judgeNoAction({ typeId, digests, pcr, index }: LogEvent): BootFinding[] {
  const isBlank = [...digests.values()].every((digest) => digest.every((byte) => byte === 0));
  if (typeId !== EVENT_TYPE.EV_NO_ACTION || isBlank) return [];
  const message = 'an event that extends nothing has a digest: it may be another one that was renamed';
  return [{ code: 'NO_ACTION_DIGEST', pcr, index, message }];
}

function listQuirks(log: EventLog, events: readonly VerifiedEvent[], secureBoot: SecureBootFacts): BootQuirk[] {
  const locality = findStartupLocality(log.events);
  const quirks: BootQuirk[] = [];
  const add = (code: BootQuirkCode, isThere: boolean, event?: LogEvent, pcr: number | null = event?.pcr ?? null) => {
    if (isThere) quirks.push({ code, pcr, index: event?.index ?? null });
  };
  const addFirst = (code: BootQuirkCode, test: (each: VerifiedEvent) => boolean) => {
    const found = events.find(test);
    add(code, found !== undefined, found?.event);
  };
  add('SHA1_ONLY_LOG', log.format === 'sha1');
  add('STARTUP_LOCALITY_3', locality === 3, undefined, 0);
  add('STARTUP_LOCALITY_4', locality === 4, undefined, 0);
  addFirst(
    'SP800_155_REFERENCE',
    ({ event }) => isNoAction(event) && event.data.subarray(0, SP800_155.length).equals(SP800_155),
  );
  addFirst('NO_ACTION_WITHOUT_PCR', ({ event }) => event.pcr === null);
  add('EXIT_BOOT_SERVICES_MISSING', !events.some(isExitBootServices), undefined, 5);
  add('SECURE_BOOT_VARIABLE_EMPTY', secureBoot.isVariableEmpty, undefined, 7);
  addFirst('SEPARATOR_DIGEST_REUSED', ({ event }) => isReusedSeparator(log, event));
  addFirst('BOOT_VARIABLE_DATA_ONLY', ({ form }) => form === 'variableData');
  addFirst('AUTHORITY_TRAILING_BYTE', ({ form }) => form === 'withoutLastByte');
  addFirst('COMMAND_LINE_CUT_SHORT', ({ form, event }) => form === 'utf16Text' && event.data.length % 2 === 1);
  addFirst('DYNAMIC_LAUNCH_EVENTS', ({ event }) => event.pcr !== null && event.pcr >= 17 && event.pcr <= 22);
  addFirst(
    'BANK_INCOMPLETE',
    ({ event }) => event.index > 0 && !isNoAction(event) && event.digests.size < log.algorithms.length,
  );
  add('ZERO_PADDING', log.paddingBytes > 0);
  return quirks;
}

function isNoAction({ typeId }: LogEvent): boolean {
  return typeId === EVENT_TYPE.EV_NO_ACTION;
}

function isExitBootServices({ event, dataVerified }: VerifiedEvent): boolean {
  return event.pcr === 5 && dataVerified && event.data.toString('latin1').startsWith('Exit Boot Services Invocation');
}

function isReusedSeparator(log: EventLog, event: LogEvent): boolean {
  const isOther = event.typeId !== EVENT_TYPE.EV_SEPARATOR && event.typeId !== EVENT_TYPE.EV_NO_ACTION;
  return isOther && event.pcr !== null && event.pcr < 7 && hasSeparatorDigest(log, event);
}
