import { type LogEvent, parseUefiVariable, trimEndOf } from '@holdfast/evidence';
import type { InspectedLog } from './commands/inspect-eventlog.ts';
import { formatTable } from './table.ts';
import { printable, type Terminal } from './terminal.ts';

const MAX_DESCRIPTION = 120;

/** What the data of an event reads like: name of a UEFI variable, or text. A stranger's word; null where it is neither. */
export function describeEvent(event: LogEvent): string | null {
  if (event.type.startsWith('EV_EFI_VARIABLE_')) return parseUefiVariable(event.data).name;
  return readText(event.data) ?? readUtf16(event.data) ?? null;
}

function readText(data: Buffer): string | undefined {
  const text = trimEndOf(data.toString('latin1'), '\0');
  return /^[\x20-\x7e\n\t]+$/.test(text) ? text.slice(0, MAX_DESCRIPTION) : undefined;
}

function readUtf16(data: Buffer): string | undefined {
  const even = data.subarray(0, data.length - (data.length % 2));
  const text = trimEndOf(even.toString('utf16le'), '\0');
  return /^[\x20-\x7e]+$/.test(text) ? text.slice(0, MAX_DESCRIPTION) : undefined;
}

export function formatEventLog(inspected: InspectedLog, terminal: Terminal): string {
  const { log, facts } = inspected;
  const { enabled, actions } = facts.secureBoot;
  const state = enabled === null ? 'not proven' : { true: 'on', false: 'off' }[`${enabled}`];
  const lines = facts.commandLine.texts.map(({ text, source }) => `command line  ${printable(text)} (${source})`);
  const hashed = facts.commandLine.hashed.map(
    ({ source, digests }) => `command line  by digest: ${digests.get('sha256')?.toString('hex') ?? '-'} (${source})`,
  );
  return [
    formatEvents(inspected, terminal),
    '',
    formatPcrs(inspected, terminal),
    '',
    terminal.paint('yellow', 'What follows counts only once a quote has these PCRs'),
    `format        ${log.format}, banks ${log.algorithms.map(({ name }) => name).join(', ')}`,
    `Secure Boot   ${state}`,
    ...actions.map((action) => `action        ${printable(action)}`),
    ...lines,
    ...hashed,
    ...listQuirks(inspected).map(({ code, pcr }) => `quirk         ${code}${pcr === null ? '' : ` (PCR ${pcr})`}`),
    ...facts.findings.map(({ code, pcr, index, message }) =>
      terminal.paint('red', `finding       ${code} PCR ${pcr ?? '-'} event ${index ?? '-'}: ${printable(message)}`),
    ),
  ].join('\n');
}

function formatEvents({ facts }: InspectedLog, terminal: Terminal): string {
  return formatTable(
    [
      { title: '#', align: 'right', cell: ({ event }) => String(event.index) },
      { title: 'PCR', align: 'right', cell: ({ event }) => String(event.pcr ?? '-') },
      { title: 'TYPE (a label)', cell: ({ event }) => event.type },
      { title: 'DATA', cell: ({ dataVerified }) => (dataVerified ? 'hashed' : 'unbound') },
      { title: 'READS LIKE', cell: ({ event }) => describeEvent(event) ?? `${event.data.length} bytes` },
    ],
    facts.events,
    terminal,
  );
}

interface PcrRow {
  readonly bank: string;
  readonly pcr: number;
  readonly value: string;
  readonly outcome: string;
}

function formatPcrs({ banks, comparison }: InspectedLog, terminal: Terminal): string {
  const names = new Set([...banks.keys(), ...Object.keys(comparison ?? {})]);
  const rows = [...names].flatMap((bank): PcrRow[] => {
    const replayed = banks.get(bank)?.pcrs ?? new Map<number, Buffer>();
    const outcomes = comparison?.[bank] ?? {};
    const pcrs = [...new Set([...replayed.keys(), ...Object.keys(outcomes).map(Number)])].sort((a, b) => a - b);
    return pcrs.map((pcr) => ({
      bank,
      pcr,
      value: replayed.get(pcr)?.toString('hex') ?? 'no events',
      outcome: outcomes[String(pcr)] ?? '',
    }));
  });
  return formatTable(
    [
      { title: 'BANK', cell: ({ bank }) => bank },
      { title: 'PCR', align: 'right', cell: ({ pcr }) => String(pcr) },
      { title: 'REPLAY', cell: ({ value }) => value },
      ...(comparison === undefined
        ? []
        : [{ title: 'COMPARED', cell: ({ outcome }: PcrRow) => outcome, paint: paintOutcome }]),
    ],
    rows,
    terminal,
  );
}

function paintOutcome({ outcome }: PcrRow, text: string, terminal: Terminal): string {
  if (outcome === 'match') return terminal.paint('green', text);
  return outcome === 'mismatch' || outcome === 'unexplained'
    ? terminal.paint('red', text)
    : terminal.paint('dim', text);
}

/** The quirks of the log, and that of the tool whose replay it was compared with. */
export function listQuirks({ facts, toolPcrs }: Pick<InspectedLog, 'facts' | 'toolPcrs'>) {
  const ofTool = toolPcrs.map((pcr) => ({ code: 'TPM2_EVENTLOG_REPLAY' as const, pcr, index: null }));
  return [...facts.quirks, ...ofTool];
}
