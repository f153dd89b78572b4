import type { Command } from './command.ts';
import { agent } from './commands/agent.ts';
import { buildAttest } from './commands/build-attest.ts';
import { diff } from './commands/diff.ts';
import { inventory } from './commands/inventory.ts';
import { nodes } from './commands/nodes.ts';
import { referenceAdd, referenceList, referenceRevoke } from './commands/reference.ts';
import { results } from './commands/results.ts';
import { snapshot } from './commands/snapshot.ts';
import { verifier } from './commands/verifier.ts';

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  agent,
  verifier,
  results,
  nodes,
  snapshot,
  inventory,
  diff,
  buildAttest,
  referenceAdd,
  referenceList,
  referenceRevoke,
];
