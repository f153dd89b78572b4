import {
  type BootFacts,
  compareReplayedPcrs,
  type EventLog,
  EvidenceError,
  type PcrOutcome,
  parseEventLog,
  type ReplayedBank,
  readBootFacts,
  replayEventLog,
} from '@holdfast/evidence';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { describeEvent, formatEventLog, listQuirks } from '../event-log-view.ts';
import { readInputFile } from '../input-file.ts';
import { type NamedPcrs, type PcrFile, readPcrFile } from '../pcr-file.ts';

const MAX_BYTES = 16 << 20;

/** Outcome by bank and PCR. */
export type LogComparison = Readonly<Record<string, Readonly<Record<string, PcrOutcome>>>>;

export interface InspectedLog {
  readonly log: EventLog;
  readonly facts: BootFacts;
  readonly banks: ReadonlyMap<string, ReplayedBank>;
  /** Undefined where there was nothing to compare with. */
  readonly comparison: LogComparison | undefined;
  /** PCRs that match by the arithmetic of tpm2_eventlog alone. */
  readonly toolPcrs: readonly number[];
}

export const inspectEventlog: Command = {
  name: 'inspect eventlog',
  summary: 'replay a boot event log and read what it proves, compared with PCR values on request',
  positionals: 'FILE',
  arity: [1, 1],
  options: {
    pcrs: { type: 'string', value: 'FILE', help: 'compare with these values: output of tpm2_pcrread, or such YAML' },
  },
  run: async ({ positionals, terminal, flags }) => {
    const path = positionals[0] ?? '';
    const log = parseLog(path, await readInputFile(path, MAX_BYTES));
    const pcrsPath = flags.text('pcrs');
    const banks = replayEventLog(log);
    const named = pcrsPath === undefined ? undefined : await readPcrFile(pcrsPath);
    const compared = named && compareWithLog(log, banks, named);
    const { comparison, toolPcrs = [] } = compared ?? {};
    const inspected = { log, facts: readBootFacts(log), banks, comparison, toolPcrs };
    terminal.printJson(viewEventLog(inspected));
    terminal.print(formatEventLog(inspected, terminal));
    return isDifferent(comparison) ? EXIT.found : EXIT.good;
  },
};

function parseLog(path: string, bytes: Buffer): EventLog {
  try {
    return parseEventLog(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path} is no event log: ${error.message}`, error);
    throw error;
  }
}

/**
 * Compares with values of a TPM; or with what tpm2_eventlog prints, where a value is good as well that this tool's own
 * arithmetic gives: it is no TPM's (docs/decisions/0007-event-log-vectors.md).
 */
function compareWithLog(
  log: EventLog,
  banks: ReadonlyMap<string, ReplayedBank>,
  { values, isToolReplay }: NamedPcrs,
): { comparison: LogComparison; toolPcrs: readonly number[] } {
  const strict = compareWithFile(banks, values);
  if (!isToolReplay || !isDifferent(strict)) return { comparison: strict, toolPcrs: [] };
  const lenient = compareWithFile(replayEventLog(log, 'tpm2-eventlog'), values);
  const toolPcrs = new Set<number>();
  const choose = (bank: string, pcr: string, outcome: PcrOutcome): PcrOutcome => {
    if (outcome !== 'mismatch' || lenient[bank]?.[pcr] !== 'match') return outcome;
    toolPcrs.add(Number(pcr));
    return 'match';
  };
  const comparison = Object.fromEntries(
    Object.entries(strict).map(([bank, outcomes]) => [
      bank,
      Object.fromEntries(Object.entries(outcomes).map(([pcr, outcome]) => [pcr, choose(bank, pcr, outcome)])),
    ]),
  );
  return { comparison, toolPcrs: [...toolPcrs].toSorted((a, b) => a - b) };
}

/** A bank that the log does not have explains nothing. */
function compareWithFile(banks: ReadonlyMap<string, ReplayedBank>, file: PcrFile): LogComparison {
  const names = [...file].filter(([, values]) => values.size > 0).map(([name]) => name);
  if (!names.some((name) => banks.has(name))) {
    throw undecided(`the log has the banks ${[...banks.keys()].join(', ')} and the values have ${names.join(', ')}`);
  }
  return Object.fromEntries(names.map((name) => [name, compareBank(name, banks.get(name), file)]));
}

function compareBank(name: string, bank: ReplayedBank | undefined, file: PcrFile): Record<string, PcrOutcome> {
  const values = file.get(name) ?? new Map<number, Buffer>();
  const algorithm = { id: 0, name, bytes: [...values.values()][0]?.length ?? 0, nodeName: null };
  const replayed = bank ?? { algorithm, pcrs: new Map(), incomplete: new Set() };
  return Object.fromEntries(compareReplayedPcrs(replayed, values).map(({ pcr, outcome }) => [String(pcr), outcome]));
}

function isDifferent(comparison: LogComparison | undefined): boolean {
  const outcomes = Object.values(comparison ?? {}).flatMap((bank) => Object.values(bank));
  return outcomes.some((outcome) => outcome === 'mismatch' || outcome === 'unexplained');
}

function viewEventLog(inspected: InspectedLog): object {
  const { log, facts, banks, comparison } = inspected;
  const { secureBoot, commandLine, images } = facts;
  return {
    format: log.format,
    algorithms: log.algorithms.map(({ name }) => name),
    events: facts.events.map((verified) => ({
      index: verified.event.index,
      pcr: verified.event.pcr,
      type: verified.event.type,
      digests: viewDigests(verified.event.digests),
      dataVerified: verified.dataVerified,
      form: verified.form ?? null,
      dataBytes: verified.event.data.length,
      description: describeEvent(verified.event),
    })),
    pcrs: viewPcrs(banks),
    ...(comparison === undefined ? {} : { comparison }),
    secureBoot: secureBoot.enabled,
    secureBootVariables: secureBoot.variables,
    secureBootAuthorities: secureBoot.authorities,
    kernelCommandLine: commandLine.texts.map(({ text }) => text),
    kernelCommandLineDigests: commandLine.hashed.map((line) => ({ ...line, digests: viewDigests(line.digests) })),
    images: Object.fromEntries(
      Object.entries(images).map(([kind, list]: [string, BootFacts['images']['files']]) => [
        kind,
        list.map((content) => ({ ...content, digests: viewDigests(content.digests) })),
      ]),
    ),
    quirks: listQuirks(inspected),
    findings: facts.findings,
  };
}

function viewPcrs(banks: ReadonlyMap<string, ReplayedBank>): Record<string, Record<string, string>> {
  return Object.fromEntries(
    [...banks].map(([name, { pcrs }]) => [
      name,
      Object.fromEntries(
        [...pcrs].sort(([a], [b]) => a - b).map(([pcr, value]) => [String(pcr), value.toString('hex')]),
      ),
    ]),
  );
}

function viewDigests(digests: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...digests].map(([name, digest]) => [name, digest.toString('hex')]));
}
