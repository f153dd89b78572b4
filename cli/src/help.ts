import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.ts';

export function formatHelp(commands: readonly Command[]): string {
  return [
    'holdfast: runtime attestation from the TPM up',
    '',
    'Usage: holdfast COMMAND [options]',
    '',
    ...listCommands(commands),
    '',
    'holdfast COMMAND --help tells more; every command takes --json.',
    'Exit codes: 0 good, 1 something was found, 2 wrong use, 3 could not decide.',
  ].join('\n');
}

/** Of commands that share their first word. */
export function formatFamilyHelp(first: string, commands: readonly Command[]): string {
  return [
    `Usage: holdfast ${first} COMMAND [options]`,
    '',
    ...listCommands(commands),
    '',
    `holdfast ${first} COMMAND --help tells more.`,
  ].join('\n');
}

export function formatCommandHelp(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS });
  const width = Math.max(...options.map(([name, spec]) => optionHeading(name, spec).length));
  return [
    `holdfast ${command.name}: ${command.summary}`,
    '',
    `Usage: holdfast ${heading(command)} [options]`,
    '',
    ...options.map(([name, spec]) => `  ${optionHeading(name, spec).padEnd(width)}  ${spec.help}`),
  ].join('\n');
}

function listCommands(commands: readonly Command[]): string[] {
  const width = Math.max(...commands.map((command) => heading(command).length));
  return commands.map((command) => `  ${heading(command).padEnd(width)}  ${command.summary}`);
}

function heading(command: Command): string {
  return command.positionals === '' ? command.name : `${command.name} ${command.positionals}`;
}

function optionHeading(name: string, { type, short, value = 'VALUE' }: OptionSpec): string {
  const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return type === 'boolean' ? flag : `${flag} ${value}`;
}
