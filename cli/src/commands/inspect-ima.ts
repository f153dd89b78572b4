import {
  EvidenceError,
  type HashAlgorithm,
  type ImaEntry,
  type ImaPrefix,
  type ImaReplayState,
  matchImaPrefix,
  parseImaList,
  replayIma,
  startImaReplay,
  summariseIma,
} from '@holdfast/evidence';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { formatTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

const MAX_BYTES = 256 << 20;
const BANKS: readonly HashAlgorithm[] = ['sha1', 'sha256', 'sha384', 'sha512', 'sm3_256'];
const DEFAULT_BANK = 'sha256';
/** Of which PCR 10 is always given. */
const SHOWN: readonly HashAlgorithm[] = ['sha1', 'sha256', 'sha384', 'sha512'];

export const inspectIma: Command = {
  name: 'inspect ima',
  summary: 'replay an IMA measurement list, compared with a value of PCR 10 on request',
  positionals: 'FILE',
  arity: [1, 1],
  options: {
    bank: { type: 'string', value: 'BANK', help: `bank of --pcr10: ${BANKS.join(', ')}; default ${DEFAULT_BANK}` },
    pcr10: { type: 'string', value: 'HEX', help: 'find the longest prefix of the list that gives this PCR 10' },
  },
  run: async ({ positionals, terminal, flags }) => {
    const path = positionals[0] ?? '';
    const bank = readBank(flags.text('bank') ?? DEFAULT_BANK);
    const pcr10 = readPcr10(flags.text('pcr10'), bank);
    const entries = parseList(path, await readInputFile(path, MAX_BYTES));
    const prefix = pcr10 && matchImaPrefix(startImaReplay(bank), entries, (value) => value.equals(pcr10));
    const replayed = [...new Set([...SHOWN, bank])].map((each) => replayIma(startImaReplay(each), entries));
    const view = viewList(entries, replayed, prefix);
    terminal.printJson(view);
    terminal.print(formatList(view, pcr10 !== undefined, terminal));
    return pcr10 !== undefined && prefix === undefined ? EXIT.found : EXIT.good;
  },
};

function readBank(text: string): HashAlgorithm {
  const bank = BANKS.find((name) => name === text);
  if (bank === undefined) throw usageError(`--bank takes one of: ${BANKS.join(', ')}`);
  return bank;
}

function readPcr10(text: string | undefined, bank: HashAlgorithm): Buffer | undefined {
  if (text === undefined) return undefined;
  const bytes = startImaReplay(bank).values.native.length;
  const hex = text.replace(/^0x/i, '');
  if (!/^[0-9a-f]*$/i.test(hex) || hex.length !== bytes * 2) {
    throw usageError(`--pcr10 takes a ${bank} value: ${bytes * 2} hexadecimal digits`);
  }
  return Buffer.from(hex, 'hex');
}

function parseList(path: string, bytes: Buffer): ImaEntry[] {
  try {
    return parseImaList(bytes);
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path} is no IMA list: ${error.message}`, error);
    throw error;
  }
}

function viewList(entries: readonly ImaEntry[], replayed: readonly ImaReplayState[], prefix: ImaPrefix | undefined) {
  return {
    ...summariseIma(entries),
    pcr10: Object.fromEntries(replayed.map(({ bank, values }) => [bank, values.native.toString('hex')])),
    /** As kernels leave banks whose hash is not loaded: the SHA-1 digest and zeros. */
    pcr10Sha1Padded: Object.fromEntries(replayed.map(({ bank, values }) => [bank, values.sha1Padded.toString('hex')])),
    matchedPrefix: prefix?.matchedPrefix ?? null,
    matchedForm: prefix?.form ?? null,
  };
}

function formatList(view: ReturnType<typeof viewList>, isCompared: boolean, terminal: Terminal): string {
  const values = Object.entries(view.pcr10);
  const table = formatTable(
    [
      { title: 'BANK', cell: ([bank]) => bank },
      { title: 'PCR 10 AFTER ALL ENTRIES', cell: ([, value]) => value },
    ],
    values,
    terminal,
  );
  const templates = Object.entries(view.templates).map(([name, count]) => `${name} ${count}`);
  const matched = terminal.paint('green', `${view.matchedPrefix} of ${view.entries} entries give this PCR 10`);
  const different = terminal.paint('red', 'no prefix of this list gives this PCR 10');
  return [
    table,
    '',
    `entries     ${view.entries} (${templates.join(', ')})`,
    `violations  ${view.violations}`,
    ...(view.mismatches === 0
      ? []
      : [terminal.paint('red', `changed     ${view.mismatches} entries are not what the kernel hashed`)]),
    ...(isCompared ? [`prefix      ${view.matchedPrefix === null ? different : matched}`] : []),
  ].join('\n');
}
