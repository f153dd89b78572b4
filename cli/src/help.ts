import { COMMON_OPTIONS, type Command, type OptionSpec } from './command.ts';

export function formatHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => heading(command).length));
  return [
    'holdfast: runtime attestation from the TPM up',
    '',
    'Usage: holdfast COMMAND [options]',
    '',
    ...commands.map((command) => `  ${heading(command).padEnd(width)}  ${command.summary}`),
    '',
    'holdfast COMMAND --help tells more; every command takes --json.',
    'Exit codes: 0 good, 1 something was found, 2 wrong use, 3 could not decide.',
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

function heading(command: Command): string {
  return command.positionals === '' ? command.name : `${command.name} ${command.positionals}`;
}

function optionHeading(name: string, spec: OptionSpec): string {
  return spec.type === 'boolean' ? `--${name}` : `--${name} ${spec.value ?? 'VALUE'}`;
}
