import {
  comparePackageLists,
  findCertainDifferences,
  type PackageComparison,
  type PackageList,
  type UndecidedComparison,
} from '@holdfast/verifier';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { readPackageList } from '../package-list.ts';
import { printable, type Terminal } from '../terminal.ts';

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
    const [expected, actual] = [await readPackageList(a, terminal), await readPackageList(b, terminal)];
    const comparison = comparePackageLists(expected, actual);
    if (!comparison.decided) return tellCertain(expected, actual, comparison, terminal, `${a} and ${b}`);
    const { match, explained, unexpected, missing, changed } = comparison;
    terminal.printJson({ complete: true, match, explained, unexpected, missing, changed });
    terminal.print(formatComparison(comparison, terminal));
    return unexpected.length + missing.length + changed.length > 0 ? EXIT.found : EXIT.good;
  },
};

/** A cut list decides nothing of what it leaves out; what differs in spite of that is told, and ends as found. */
function tellCertain(
  expected: PackageList,
  actual: PackageList,
  { reason }: UndecidedComparison,
  terminal: Terminal,
  names: string,
): number {
  const { unexpected, missing } = findCertainDifferences(expected, actual);
  if (unexpected.length + missing.length === 0) throw undecided(`${names} cannot be compared: ${UNDECIDED[reason]}`);
  terminal.printJson({ complete: false, reason, unexpected, missing });
  terminal.print(
    [
      ...formatOneSided({ unexpected, missing }, terminal),
      `NOT COMPLETE: ${UNDECIDED[reason]}; this differs in any case`,
    ].join('\n'),
  );
  return EXIT.found;
}

function formatComparison(comparison: PackageComparison, terminal: Terminal): string {
  const lines = [
    ...comparison.changed.map((row) =>
      terminal.paint('yellow', `~ ${printable(row.purl)}  ${printable(row.from)} -> ${printable(row.to)}`),
    ),
    ...formatOneSided(comparison, terminal),
    ...comparison.explained.map((row) => terminal.paint('dim', `= ${printable(row.purl)}  (${row.reason})`)),
  ];
  const counts = `${comparison.match} match, ${comparison.explained.length} explained, ${comparison.changed.length} changed, ${comparison.unexpected.length} unexpected, ${comparison.missing.length} missing`;
  return [...lines, counts].join('\n');
}

function formatOneSided(
  { unexpected, missing }: Pick<PackageComparison, 'unexpected' | 'missing'>,
  terminal: Terminal,
): string[] {
  return [
    ...unexpected.map((purl) => terminal.paint('red', `+ ${printable(purl)}`)),
    ...missing.map((purl) => terminal.paint('red', `- ${printable(purl)}`)),
  ];
}
