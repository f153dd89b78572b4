import { printable, type Terminal } from './terminal.ts';

export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string;
  /** Colours a cell after it was padded. */
  paint?(row: Row, text: string, terminal: Terminal): string;
  readonly align?: 'right';
}

/** Lays rows out in columns as wide as their widest cell; cells are made safe to print. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  const pad = (text: string, at: number) => {
    const width = widths[at] ?? 0;
    if (columns[at]?.align === 'right') return text.padStart(width);
    return at === columns.length - 1 ? text : text.padEnd(width);
  };
  const head = columns.map((column, at) => terminal.paint('bold', pad(column.title, at))).join('  ');
  const lines = rows.map((row, index) =>
    columns
      .map((column, at) => {
        const text = pad(cells[index]?.[at] ?? '', at);
        return column.paint ? column.paint(row, text, terminal) : text;
      })
      .join('  ')
      .trimEnd(),
  );
  return [head.trimEnd(), ...lines].join('\n');
}
