import { parseArgs } from 'node:util';
import { usageError } from './cli-error.ts';
import type { Terminal } from './terminal.ts';

export interface OptionSpec {
  type: 'string' | 'boolean';
  /** One line for --help. */
  help: string;
  /** Shown in --help as `--name VALUE`. */
  value?: string;
  /** One letter that stands for it. */
  short?: string;
  /** May be given more than once. */
  multiple?: boolean;
}

export interface Invocation {
  readonly flags: Flags;
  readonly positionals: readonly string[];
  readonly terminal: Terminal;
  /** Ends when the person presses Ctrl-C or the process is told to stop. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** Words of the command, such as `inspect token`. */
  readonly name: string;
  readonly summary: string;
  /** What stands behind the name, such as `FILE`. */
  readonly positionals: string;
  /** Least and most positionals. */
  readonly arity: readonly [number, number];
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(invocation: Invocation): Promise<number>;
}

/** Flags as given; reading a flag that the command did not declare is a programmer's error. */
export interface Flags {
  text(name: string): string | undefined;
  texts(name: string): string[];
  has(name: string): boolean;
}

/** Options that every command takes. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  config: { type: 'string', value: 'FILE', help: 'settings; else $HOLDFAST_CONFIG, else .holdfast/config.json' },
  json: { type: 'boolean', help: 'one JSON document on stdout and nothing else there' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
};

/** Reads the words behind the command's name. Throws a usage error that names the wrong word. */
export function parseCommandLine(command: Command, argv: readonly string[]): { flags: Flags; positionals: string[] } {
  const declared = { ...COMMON_OPTIONS, ...command.options };
  const options = Object.fromEntries(
    Object.entries(declared).map(([name, { type, multiple = false, short }]) => {
      return [name, { type, multiple, ...(short === undefined ? {} : { short }) }];
    }),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usageError(`${explainParseError(error)}; see holdfast ${command.name} --help`);
  }
  const flags = createFlags(parsed.values, new Set(Object.keys(declared)));
  if (!flags.has('help')) checkArity(command, parsed.positionals.length);
  return { flags, positionals: parsed.positionals };
}

function explainParseError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split(/[.\n] ?(?:To specify|Did you)/)[0] ?? text).replace(/\.$/, '');
}

function checkArity(command: Command, count: number): void {
  const [least, most] = command.arity;
  if (count >= least && count <= most) return;
  const wanted = command.positionals === '' ? 'takes no arguments' : `takes ${command.positionals}`;
  throw usageError(`holdfast ${command.name} ${wanted}; see holdfast ${command.name} --help`);
}

function createFlags(values: Record<string, unknown>, declared: ReadonlySet<string>): Flags {
  const get = (name: string): unknown => {
    if (!declared.has(name)) throw new TypeError(`flag ${name} is not declared by this command`);
    return values[name];
  };
  return {
    text: (name) => {
      const value = get(name);
      return typeof value === 'string' ? value : undefined;
    },
    texts: (name) => {
      const value = get(name);
      return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
    },
    has: (name) => get(name) === true,
  };
}

/** Reads a flag that is a whole number within bounds. */
export function integerFlag(flags: Flags, name: string, bounds: { min: number; max: number }): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < bounds.min || value > bounds.max) {
    throw usageError(`--${name} takes a whole number from ${bounds.min} to ${bounds.max}`);
  }
  return value;
}
