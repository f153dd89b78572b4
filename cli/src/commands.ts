import type { Command } from './command.ts';

/** A command by its name; its code, and all that it imports, is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  load(): Promise<Command>;
}

/** Every command, in the order of the help text. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'agent', load: async () => (await import('./commands/agent.ts')).agent },
  { name: 'verifier', load: async () => (await import('./commands/verifier.ts')).verifier },
  { name: 'results', load: async () => (await import('./commands/results.ts')).results },
  { name: 'nodes', load: async () => (await import('./commands/nodes.ts')).nodes },
  { name: 'nodes ack', load: async () => (await import('./commands/nodes-operator.ts')).nodesAck },
  { name: 'nodes remove', load: async () => (await import('./commands/nodes-operator.ts')).nodesRemove },
  { name: 'snapshot', load: async () => (await import('./commands/snapshot.ts')).snapshot },
  { name: 'verify', load: async () => (await import('./commands/verify.ts')).verify },
  { name: 'inspect token', load: async () => (await import('./commands/inspect-token.ts')).inspectToken },
  { name: 'inspect snapshot', load: async () => (await import('./commands/inspect-snapshot.ts')).inspectSnapshot },
  { name: 'inspect eventlog', load: async () => (await import('./commands/inspect-eventlog.ts')).inspectEventlog },
  { name: 'inspect ima', load: async () => (await import('./commands/inspect-ima.ts')).inspectIma },
  { name: 'inspect quote', load: async () => (await import('./commands/inspect-quote.ts')).inspectQuote },
  { name: 'inventory', load: async () => (await import('./commands/inventory.ts')).inventory },
  { name: 'container', load: async () => (await import('./commands/container.ts')).container },
  { name: 'diff', load: async () => (await import('./commands/diff.ts')).diff },
  { name: 'build attest', load: async () => (await import('./commands/build-attest.ts')).buildAttest },
  { name: 'reference agent', load: async () => (await import('./commands/reference-agent.ts')).referenceAgent },
  { name: 'reference boot', load: async () => (await import('./commands/reference-boot.ts')).referenceBoot },
  { name: 'reference add', load: async () => (await import('./commands/reference.ts')).referenceAdd },
  { name: 'reference list', load: async () => (await import('./commands/reference.ts')).referenceList },
  { name: 'reference revoke', load: async () => (await import('./commands/reference.ts')).referenceRevoke },
  { name: 'doctor', load: async () => (await import('./commands/doctor.ts')).doctor },
];
