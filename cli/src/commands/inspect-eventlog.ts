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
import { describeEvent, formatEventLog } from '../event-log-view.ts';
import { readInputFile } from '../input-file.ts';
import { type PcrFile, readPcrFile } from '../pcr-file.ts';

const MAX_BYTES = 16 << 20;

/** Outcome by bank and PCR. */
export type LogComparison = Readonly<Record<string, Readonly<Record<string, PcrOutcome>>>>;

export interface InspectedLog {
  readonly log: EventLog;
  readonly facts: BootFacts;
  readonly banks: ReadonlyMap<string, ReplayedBank>;
  /** Undefined where there was nothing to compare with. */
  readonly comparison: LogComparison | undefined;
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
    const comparison = pcrsPath === undefined ? undefined : compareWithFile(banks, await readPcrFile(pcrsPath));
    const inspected = { log, facts: readBootFacts(log), banks, comparison };
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

function viewEventLog({ log, facts, banks, comparison }: InspectedLog): object {
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
    quirks: facts.quirks,
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
