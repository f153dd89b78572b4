import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, type Definitions, readText } from './docs-source.ts';

/** Flags that every command takes, and words that stand in the place of a command. */
const COMMON_FLAGS = ['config', 'json', 'help'];
const BARE_WORDS = ['--help', '--version'];

/**
 * Command lines of ours in a document: of its code blocks, and in backticks, that begin with `holdfast`, `scripts/` or
 * `./scripts/`. Comments are cut off; what joins two commands splits them.
 */
export function listCommandLines(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  const spans = [...markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, text = '']) => text,
  );
  return [...blocks.flatMap((block) => block.split('\n')), ...spans]
    .flatMap((line) => line.replace(/(?:^|\s)#.*$/, '').split(/&&|\|/))
    .map((line) => line.trim())
    .filter((line) => /^(?:holdfast|(?:\.\/)?scripts\/[a-z]+)(?:\s|$)/.test(line));
}

/** Why a command line of a document in this folder does not work as written; nothing where it does. */
export function findCommandFaults(line: string, folder: string, definitions: Definitions): string[] {
  const [program = '', ...words] = line.split(/\s+/);
  const named = program.replace(/^\.\//, '');
  // A package's own readme may name its own scripts.
  const script = isExecutable(named) ? named : join(folder, named);
  if (program === 'holdfast') return findHoldfastFaults(line, words, definitions);
  if (!isExecutable(script)) return [`${line}: there is no ${named} to run`];
  if (script === 'scripts/holdfast') return findHoldfastFaults(line, words, definitions);
  const usage = readUsage(script);
  return listFlags(words)
    .filter((flag) => !usage.includes(`--${flag}`) && flag !== 'help')
    .map((flag) => `${line}: ${script} takes no --${flag}`);
}

function findHoldfastFaults(line: string, words: readonly string[], { commands }: Definitions): string[] {
  // A dots character stands for any words, and a bare `holdfast` for the command as such.
  if (words.length === 0 || words[0] === '…' || BARE_WORDS.includes(words[0] ?? '')) return [];
  const command = [2, 1]
    .map((count) => words.slice(0, count).join(' '))
    .flatMap((name) => commands.filter((item) => item.name === name))[0];
  if (command === undefined) return [`${line}: there is no such command`];
  return listFlags(words)
    .filter((flag) => ![...command.flags, ...COMMON_FLAGS].includes(flag))
    .map((flag) => `${line}: holdfast ${command.name} takes no --${flag}`);
}

function listFlags(words: readonly string[]): string[] {
  return words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).replace(/=.*/, ''));
}

function isExecutable(script: string): boolean {
  try {
    accessSync(join(CHECKOUT, script), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a script says with --help; where it has no such flag it must not be run, and its first comment is taken. */
function readUsage(script: string): string {
  const text = readText(script);
  if (!text.includes('--help)')) return text.slice(0, text.search(/^[^#]/m));
  const result = spawnSync(join(CHECKOUT, script), ['--help'], { encoding: 'utf8', timeout: 10_000 });
  if (result.status !== 0) throw new Error(`${script} --help ended with ${result.status}: ${result.stderr}`);
  return result.stdout;
}
