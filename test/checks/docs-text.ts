/** Cells of each row of the first table below a heading, header and rule left out. Throws where there is none. */
export function readTable(markdown: string, heading: string): string[][] {
  const section = readSection(markdown, heading);
  const lines = section.split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  if (first < 0) throw new Error(`no table below "${heading}"`);
  const after = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  const table = lines.slice(first, after < 0 ? undefined : first + after);
  return table.slice(2).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Text below a heading, up to the next one of any level. Throws where the heading is missing or stands twice. */
export function readSection(markdown: string, heading: string): string {
  const parts = markdown.split(/^#+ /m).filter((part) => part.startsWith(`${heading}\n`));
  const [part] = parts;
  if (part === undefined || parts.length > 1) throw new Error(`${parts.length} headings "${heading}"`);
  return part.slice(heading.length + 1);
}

/** Texts in backticks. */
export function listQuoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}

/** What stands in the first cells of a table, in backticks: its codes. */
export function listCodes(rows: readonly (readonly string[])[]): string[] {
  return rows.flatMap(([first = '']) => listQuoted(first));
}

/** What a table lacks of a closed set, has too much, or has twice. */
export function compareSets(what: string, documented: readonly string[], actual: readonly string[]): string[] {
  const twice = documented.filter((code, at) => documented.indexOf(code) !== at);
  return [
    ...actual.filter((code) => !documented.includes(code)).map((code) => `${what}: no row for ${code}`),
    ...documented.filter((code) => !actual.includes(code)).map((code) => `${what}: row of ${code} is left over`),
    ...twice.map((code) => `${what}: two rows for ${code}`),
  ];
}
