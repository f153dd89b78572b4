import type { DriftEntry } from '@holdfast/evidence';
import type { JudgedContainer } from './judge-container.ts';
import type { LiveContainer } from './live-containers.ts';
import { type Column, formatTable } from './table.ts';
import { type Colour, printable, type Terminal } from './terminal.ts';

export interface ContainerRow {
  readonly container: LiveContainer;
  readonly judged: JudgedContainer;
}

const COLOURS: Record<JudgedContainer['verdict'], Colour> = {
  unchanged: 'green',
  changed: 'red',
  unproven: 'yellow',
  undecided: 'yellow',
};

/** Entries of a drift document that a table shows; the rest is counted and stands in --json. */
const SHOWN_ENTRIES = 20;

const COLUMNS: Column<ContainerRow>[] = [
  { title: 'CONTAINER', cell: ({ container }) => container.claims.name.slice(0, 40) },
  { title: 'NAMESPACE', cell: ({ container }) => container.claims.namespace },
  {
    title: 'VERDICT',
    cell: ({ judged }) => judged.verdict,
    paint: ({ judged }, text, terminal) => terminal.paint(COLOURS[judged.verdict], text),
  },
  { title: 'IMAGE MANIFEST', cell: ({ container }) => container.claims.image.manifest?.slice(0, 19) ?? '-' },
  { title: 'LAYERS PROVEN', cell: ({ judged }) => formatProof(judged), align: 'right' },
  { title: 'PACKAGES', cell: ({ container }) => String(container.inventory?.packages.length ?? '-'), align: 'right' },
  { title: 'DRIFT', cell: ({ container }) => String(container.drift?.relevant.length ?? '-'), align: 'right' },
];

/** A table of the containers, then for each that is not as its image what was seen. */
export function formatContainers(rows: readonly ContainerRow[], terminal: Terminal): string {
  if (rows.length === 0) return 'no container runs';
  const details = rows.filter(({ judged }) => judged.reasons.length + judged.notes.length + judged.volumes.length > 0);
  return [formatTable(COLUMNS, rows, terminal), ...details.flatMap((row) => ['', ...formatDetail(row, terminal)])].join(
    '\n',
  );
}

function formatProof({ proof }: JudgedContainer): string {
  const total = proof.content + proof.tarSplit + proof.firstUse + proof.none;
  return `${proof.content + proof.tarSplit}/${total}`;
}

function formatDetail({ container, judged }: ContainerRow, terminal: Terminal): string[] {
  const entries = container.drift?.relevant ?? [];
  const rest = entries.length - SHOWN_ENTRIES;
  return [
    terminal.paint('bold', printable(container.claims.id)),
    ...entries.slice(0, SHOWN_ENTRIES).map((entry) => `  ${formatEntry(entry, terminal)}`),
    ...(rest > 0 ? [`  … and ${rest} more (--json shows all)`] : []),
    ...judged.reasons
      .filter((reason) => !reason.startsWith('drift:'))
      .map((reason) => terminal.paint(COLOURS[judged.verdict], `  ${printable(reason)}`)),
    ...judged.notes.map((note) => terminal.paint('dim', `  ${printable(note)}`)),
    ...judged.volumes.map((path) => terminal.paint('dim', `  volume ${printable(path)}, which no image proves`)),
  ];
}

function formatEntry({ kind, path, reasons, ownedBy, after }: DriftEntry, terminal: Terminal): string {
  const owner = ownedBy === undefined ? '' : `  of ${printable(ownedBy)}`;
  const digest = after?.sha256 === undefined ? '' : `  sha256:${after.sha256.slice(0, 12)}`;
  return `${terminal.paint('red', kind)} ${printable(path)}${owner}${digest}  (${reasons.join(', ')})`;
}
