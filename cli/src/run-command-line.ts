import { CliError, EXIT } from './cli-error.ts';
import { type Command, type Invocation, parseCommandLine } from './command.ts';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { formatCommandHelp, formatFamilyHelp, formatHelp } from './help.ts';
import { createTerminal, printable, type TerminalStreams } from './terminal.ts';
import { TOOL_VERSION } from './version.ts';

export interface ProcessLike {
  readonly stdout: TerminalStreams['stdout'];
  readonly stderr: TerminalStreams['stderr'];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs one command line to its exit code. Every failure ends as a sentence on stderr, never as a stack trace. */
export async function runCommandLine(argv: readonly string[], io: ProcessLike, signal: AbortSignal): Promise<number> {
  try {
    return await dispatch(argv, io, signal);
  } catch (error) {
    return reportFailure(error, io);
  }
}

/** The same for words behind the name of a command that is at hand. */
export async function runCommand(
  command: Command,
  words: readonly string[],
  io: ProcessLike,
  signal: AbortSignal,
): Promise<number> {
  try {
    return await execute(command, words, io, signal);
  } catch (error) {
    return reportFailure(error, io);
  }
}

async function dispatch(argv: readonly string[], io: ProcessLike, signal: AbortSignal): Promise<number> {
  const help = await findHelp(argv);
  if (help !== undefined) {
    io.stdout.write(`${help}\n`);
    return argv.length === 0 ? EXIT.usage : EXIT.good;
  }
  if (argv[0] === '--version') {
    io.stdout.write(`holdfast ${TOOL_VERSION}\n`);
    return EXIT.good;
  }
  const { entry, rest } = findCommand(argv);
  return await execute(await entry.load(), rest, io, signal);
}

async function execute(
  command: Command,
  words: readonly string[],
  io: ProcessLike,
  signal: AbortSignal,
): Promise<number> {
  const streams = { stdout: io.stdout, stderr: io.stderr, environment: io.env };
  const { flags, positionals } = parseCommandLine(command, words);
  if (flags.has('help')) {
    io.stdout.write(`${formatCommandHelp(command)}\n`);
    return EXIT.good;
  }
  const invocation: Invocation = { flags, positionals, terminal: createTerminal(streams, flags.has('json')), signal };
  return await command.run(invocation);
}

/** Help that is about no single command. Undefined where none is asked for. */
async function findHelp(argv: readonly string[]): Promise<string | undefined> {
  const [first, ...rest] = argv;
  if (first === undefined || first === 'help' || isHelp(first))
    return formatHelp(await Promise.all(COMMANDS.map((entry) => entry.load())));
  const family = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  const isAlone = family.length > 0 && !COMMANDS.some(({ name }) => name === first || name === `${first} ${rest[0]}`);
  if (!isAlone || !rest.some(isHelp)) return undefined;
  return formatFamilyHelp(first, await Promise.all(family.map((entry) => entry.load())));
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h';
}

/** Finds the command by its longest name: `inspect token` before `inspect`. */
function findCommand(argv: readonly string[]): { entry: CommandEntry; rest: readonly string[] } {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    const entry = COMMANDS.find((item) => item.name === name);
    if (entry) return { entry, rest: argv.slice(words) };
  }
  const first = argv[0] ?? '';
  const family = COMMANDS.filter((item) => item.name.startsWith(`${first} `)).map((item) => item.name);
  if (family.length > 0) throw new CliError(EXIT.usage, `holdfast ${first} needs one of: ${family.join(', ')}`);
  throw new CliError(EXIT.usage, `there is no command "${printable(first)}"; holdfast --help lists them`);
}

function reportFailure(error: unknown, io: ProcessLike): number {
  if (error instanceof CliError) {
    io.stderr.write(`holdfast: ${printable(error.message)}\n`);
    return error.exitCode;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  io.stderr.write(`holdfast: internal error: ${printable(message)}\n`);
  io.stderr.write('holdfast: this is a fault of Holdfast; HOLDFAST_DEBUG=1 prints where it happened\n');
  if (io.env['HOLDFAST_DEBUG'] !== undefined && error instanceof Error) io.stderr.write(`${error.stack}\n`);
  return EXIT.undecided;
}
