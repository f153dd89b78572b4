import { undecided } from './cli-error.ts';
import { readInputFile } from './input-file.ts';

/** Values by bank, as tpm2-tools names it, and index. */
export type PcrFile = ReadonlyMap<string, ReadonlyMap<number, Buffer>>;

const MAX_BYTES = 1 << 20;
const BANK_BYTES = new Map([
  ['sha1', 20],
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
  ['sm3_256', 32],
  ['sha3_256', 32],
  ['sha3_384', 48],
  ['sha3_512', 64],
]);
const BANK_LINE = /^\s*([a-z0-9_]+)\s*:\s*$/;
const VALUE_LINE = /^\s*([0-9]{1,2})\s*:\s*(["']?)(?:0x)?([0-9a-f]+)\2\s*$/i;
const BLANK_LINE = /^(?:---|\.\.\.|#.*)?$/;
const TITLE_LINE = /^pcrs:\s*$/m;

/** Values, and whether the file has the form in which tpm2_eventlog prints its own replay of a log. */
export interface NamedPcrs {
  readonly values: PcrFile;
  readonly isToolReplay: boolean;
}

/** Reads a file of PCR values that a person named. Throws a sentence where it is none. */
export async function readPcrFile(path: string): Promise<NamedPcrs> {
  const bytes = await readInputFile(path, MAX_BYTES);
  return { values: parsePcrFile(bytes, path), isToolReplay: TITLE_LINE.test(bytes.toString('latin1')) };
}

/**
 * Parses PCR values as tpm2_pcrread prints them, or YAML of that form; where a line `pcrs:` stands, as in the output of
 * tpm2_eventlog, what follows it. A bank may be empty. Throws a sentence for any other line, for a value that is not of
 * its bank's length, for one that is told twice, and where there is no value at all.
 */
export function parsePcrFile(bytes: Buffer, path: string): PcrFile {
  const text = bytes.toString('latin1');
  const start = text.search(TITLE_LINE);
  const skipped = start < 0 ? 0 : text.slice(0, start).split('\n').length;
  const lines = text.split('\n').slice(skipped);
  const banks = new Map<string, Map<number, Buffer>>();
  let bank: { name: string; values: Map<number, Buffer> } | undefined;
  for (const [index, line] of lines.entries()) {
    if (BLANK_LINE.test(line.trim())) continue;
    const refuse = (reason: string) => undecided(`${path}, line ${skipped + index + 1}: ${reason}`);
    const name = BANK_LINE.exec(line)?.[1];
    if (name === undefined) {
      addValue(line, bank, refuse);
      continue;
    }
    if (!BANK_BYTES.has(name)) throw refuse('no bank of PCRs that is known here');
    if (banks.has(name)) throw refuse(`bank ${name} is told twice`);
    bank = { name, values: new Map() };
    banks.set(name, bank.values);
  }
  if ([...banks.values()].every(({ size }) => size === 0)) throw undecided(`${path} holds no PCR values`);
  return banks;
}

function addValue(
  line: string,
  bank: { name: string; values: Map<number, Buffer> } | undefined,
  refuse: (reason: string) => Error,
): void {
  const [, indexText, , hex = ''] = VALUE_LINE.exec(line) ?? [];
  if (indexText === undefined || bank === undefined) throw refuse('not a PCR value as tpm2_pcrread prints it');
  const pcr = Number(indexText);
  if (pcr > 23) throw refuse('there is no such PCR');
  if (bank.values.has(pcr)) throw refuse(`PCR ${pcr} is told twice`);
  if (hex.length !== (BANK_BYTES.get(bank.name) ?? 0) * 2) throw refuse(`not the length of a ${bank.name} value`);
  bank.values.set(pcr, Buffer.from(hex, 'hex'));
}
