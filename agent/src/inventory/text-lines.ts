/** Largest database that is text. Those of whole distributions are a tenth of it; each of its lines becomes objects. */
export const MAX_TEXT_DATABASE_BYTES = 64 * 1024 * 1024;

const LINE_FEED = 10;
const WINDOW_BYTES = 1024 * 1024;

/**
 * Tells the lines of a file (latin1, without their line feed) until `onLine` says false. The file is never one text: of a
 * large database that would be as much memory again. A line above a mebibyte is cut there. A part of a line that is kept
 * longer than the call keeps a mebibyte: `copyText` it.
 */
export function readLines(bytes: Buffer, onLine: (line: string) => boolean): void {
  for (let from = 0; from < bytes.length; ) {
    const end = findWindowEnd(bytes, from);
    const text = bytes.toString('latin1', from, Math.min(end, from + WINDOW_BYTES));
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf('\n', at);
      const lineEnd = newline === -1 ? text.length : newline;
      if (!onLine(text.slice(at, lineEnd))) return;
      at = lineEnd + 1;
    }
    from = end;
  }
}

/** The same text (latin1) without what it was cut out of. */
export function copyText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Behind the last line that ends in the window, or behind the first one where that is longer. */
function findWindowEnd(bytes: Buffer, from: number): number {
  const end = from + WINDOW_BYTES;
  if (end >= bytes.length) return bytes.length;
  const last = bytes.lastIndexOf(LINE_FEED, end - 1);
  if (last >= from) return last + 1;
  const next = bytes.indexOf(LINE_FEED, end);
  return next === -1 ? bytes.length : next + 1;
}
