import type { Command } from './command.ts';
import { nodes } from './commands/nodes.ts';
import { results } from './commands/results.ts';

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [results, nodes];
