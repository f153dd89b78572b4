import type { ContainerView, FindingView, KubeNodeView, ResultView, StatusText } from './result-view.ts';
import { type Column, formatTable } from './table.ts';
import { type Colour, printable, type Terminal } from './terminal.ts';

const STATUS_COLOURS: Record<StatusText, Colour> = {
  affirming: 'green',
  warning: 'yellow',
  contraindicated: 'red',
  none: 'dim',
};

/** Findings of one code that a table shows; the rest is counted and stands in --json. */
const SHOWN_OF_A_CODE = 4;

/** `HF-KERNEL-001: …` */
const RULE = /^HF-[A-Z]+-\d{3}: /;

const CONTAINER_COLUMNS: Column<ContainerView>[] = [
  { title: 'CONTAINER', cell: (row) => (row.name === '' ? row.id : row.name).slice(0, 40) },
  {
    title: 'STATUS',
    cell: (row) => row.status,
    paint: (row, text, terminal) => terminal.paint(STATUS_COLOURS[row.status], text),
  },
  { title: 'IMAGE MANIFEST', cell: (row) => shortDigest(row.manifestDigest) },
  { title: 'PACKAGES', cell: (row) => (row.packages === null ? '-' : String(row.packages)), align: 'right' },
  { title: 'SIGNED SBOM', cell: (row) => shortDigest(row.sbomDigest ?? '') },
];

const NODE_COLUMNS: Column<KubeNodeView>[] = [
  { title: 'KUBE NODE', cell: (row) => row.name },
  {
    title: 'STATUS',
    cell: (row) => row.status,
    paint: (row, text, terminal) => terminal.paint(STATUS_COLOURS[row.status], text),
  },
  { title: 'FRESHNESS', cell: (row) => row.freshness },
  { title: 'CONTAINERS', cell: (row) => String(row.containers), align: 'right' },
  { title: 'LAST GOOD', cell: (row) => row.lastGoodAt ?? '-' },
  { title: 'UEID', cell: (row) => row.ueid },
];

export function formatKubeNodes(rows: readonly KubeNodeView[], terminal: Terminal): string {
  return rows.length === 0 ? 'no kube node is enrolled' : formatTable(NODE_COLUMNS, rows, terminal);
}

/** One result for a person: the kube node and why, then its containers, then what was found in them. */
export function formatResult(result: ResultView, terminal: Terminal): string {
  const { kubeNode } = result;
  const status = terminal.paint(STATUS_COLOURS[kubeNode.status], kubeNode.status);
  const lines = [
    `kube node ${terminal.paint('bold', printable(kubeNode.name))}: ${status} (${kubeNode.freshness}, rests on ${result.base}, seq ${result.seq})`,
    ...formatFindings(result.findings, terminal),
    '',
    result.containers.length === 0 ? 'no containers' : formatTable(CONTAINER_COLUMNS, result.containers, terminal),
  ];
  for (const container of result.containers.filter((item) => item.findings.length > 0)) {
    lines.push('', terminal.paint('bold', printable(container.name || container.id)));
    lines.push(...formatFindings(container.findings, terminal));
  }
  return lines.join('\n');
}

/** By severity and code; of each code the first ones, and how many more there are. */
function formatFindings(findings: readonly FindingView[], terminal: Terminal): string[] {
  const order = { contraindicated: 0, warning: 1, info: 2 } as const;
  const codes = Map.groupBy(
    findings.toSorted((a, b) => order[a.severity] - order[b.severity]),
    (finding) => finding.code,
  );
  return [...codes.values()].flatMap((group) => {
    const lines = group.slice(0, SHOWN_OF_A_CODE).map((finding) => formatFinding(finding, terminal));
    const rest = group.length - lines.length;
    return rest > 0 ? [...lines, `    … and ${rest} more of ${group[0]?.code ?? ''} (--json shows all)`] : lines;
  });
}

function formatFinding(finding: FindingView, terminal: Terminal): string {
  const colour = finding.severity === 'info' ? 'dim' : finding.severity === 'warning' ? 'yellow' : 'red';
  const place = [finding.path, finding.purl].filter((text) => text !== undefined).map(printable);
  const change = [finding.expected, finding.actual]
    .filter((text) => text !== undefined)
    .map((text) => shorten(printable(text)));
  const details = [...place, ...(change.length > 0 ? [`(${change.join(' -> ')})`] : [])];
  // A rule of a baseline says in its message which one it is and why; there are too many for a code each.
  const isRule = RULE.test(finding.message);
  const words = details.length > 0 && !isRule ? details.join(' ') : [printable(finding.message), ...details].join(' ');
  return `  ${terminal.paint(colour, printable(finding.code))}  ${words}`;
}

/** Digests are for comparing by machine; their first digits are enough to tell two apart on a screen. */
function shorten(text: string): string {
  return text.replaceAll(/\b(sha256:)?([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1$2…');
}

function shortDigest(digest: string): string {
  return digest === '' ? '-' : digest.replace(/^(sha256:)?([0-9a-f]{12})[0-9a-f]*$/, '$1$2…');
}
