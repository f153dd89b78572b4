/** Where a command writes: results to stdout, everything for people on the way to stderr. */
export interface Terminal {
  readonly isJson: boolean;
  /** Prints a result for a person; nothing in JSON mode. */
  print(text: string): void;
  /** Prints one JSON document; nothing for people. */
  printJson(value: unknown): void;
  /** Progress and hints, to stderr; kept out of pipes in JSON mode too. */
  note(text: string): void;
  /** Wraps text in a colour where stdout is a terminal that wants it. */
  paint(colour: Colour, text: string): string;
}

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

const CODES: Record<Colour, readonly [number, number]> = {
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export interface TerminalStreams {
  stdout: { write(text: string): unknown; isTTY?: boolean };
  stderr: { write(text: string): unknown };
  environment: Readonly<Record<string, string | undefined>>;
}

export function createTerminal(streams: TerminalStreams, isJson: boolean): Terminal {
  const { stdout, stderr, environment } = streams;
  const hasColour = stdout.isTTY === true && environment['NO_COLOR'] === undefined && environment['TERM'] !== 'dumb';
  return {
    isJson,
    print: (text) => {
      if (!isJson) stdout.write(`${text}\n`);
    },
    printJson: (value) => {
      if (isJson) stdout.write(`${JSON.stringify(value)}\n`);
    },
    note: (text) => {
      stderr.write(`${text}\n`);
    },
    paint: (colour, text) => {
      const [on, off] = CODES[colour];
      return hasColour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
    },
  };
}

/**
 * Makes text from foreign data safe to print: control characters and bidirectional overrides become visible escapes, so
 * that a file name can neither move the cursor nor forge another line.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
