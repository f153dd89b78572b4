import { EvidenceError, parseInventory } from '@holdfast/evidence';
import {
  comparePackageLists,
  listInventory,
  type PackageComparison,
  type PackageList,
  parseSbom,
  VerifierError,
} from '@holdfast/verifier';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { printable, type Terminal } from '../terminal.ts';

const MAX_BYTES = 64 << 20;
const UNDECIDED = {
  EXPECTED_EMPTY: 'the first list is empty, and an empty list is never "no packages"',
  ACTUAL_EMPTY: 'the second list is empty, and an empty list is never "no packages"',
  EXPECTED_INCOMPLETE: 'the first list says of itself that it is cut',
  ACTUAL_INCOMPLETE: 'the second list says of itself that it is cut',
  OTHER_PLATFORM: 'the two lists are of different architectures',
} as const;

export const diff: Command = {
  name: 'diff',
  summary: 'compare two package lists: inventories, CycloneDX or SPDX files',
  positionals: 'A B',
  arity: [2, 2],
  options: {},
  run: async ({ positionals, terminal }) => {
    const [a = '', b = ''] = positionals;
    const comparison = comparePackageLists(await readList(a), await readList(b));
    if (!comparison.decided) throw undecided(`${a} and ${b} cannot be compared: ${UNDECIDED[comparison.reason]}`);
    const { match, explained, unexpected, missing, changed } = comparison;
    terminal.printJson({ match, explained, unexpected, missing, changed });
    terminal.print(formatComparison(comparison, terminal));
    return unexpected.length + missing.length + changed.length > 0 ? EXIT.found : EXIT.good;
  },
};

async function readList(path: string): Promise<PackageList> {
  const bytes = await readInputFile(path, MAX_BYTES);
  try {
    if (bytes.subarray(0, 4096).includes('holdfast-inventory-v1')) return listInventory(parseInventory(bytes));
    return parseSbom(bytes);
  } catch (error) {
    if (error instanceof EvidenceError || error instanceof VerifierError) {
      throw undecided(`${path}: ${error.message}`, error);
    }
    throw error;
  }
}

function formatComparison(comparison: PackageComparison, terminal: Terminal): string {
  const lines = [
    ...comparison.changed.map((row) =>
      terminal.paint('yellow', `~ ${printable(row.purl)}  ${printable(row.from)} -> ${printable(row.to)}`),
    ),
    ...comparison.unexpected.map((purl) => terminal.paint('red', `+ ${printable(purl)}`)),
    ...comparison.missing.map((purl) => terminal.paint('red', `- ${printable(purl)}`)),
    ...comparison.explained.map((row) => terminal.paint('dim', `= ${printable(row.purl)}  (${row.reason})`)),
  ];
  const counts = `${comparison.match} match, ${comparison.explained.length} explained, ${comparison.changed.length} changed, ${comparison.unexpected.length} unexpected, ${comparison.missing.length} missing`;
  return [...lines, counts].join('\n');
}
