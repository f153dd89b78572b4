import { createInterface } from 'node:readline';
import { type AgentConfig, parseAgentConfig, startAgent } from '@holdfast/agent';

/** One try to start an agent, at a moment that the parent gave to several processes. */
export interface LockAttempt {
  config: unknown;
  atMs: number;
}

/**
 * Starts agents as its parent says, a line each, and prints how each start went. An agent that came up stays up while the
 * process lives.
 */
async function run(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { config, atMs }: LockAttempt = JSON.parse(line);
    const settings = parseAgentConfig(config);
    while (Date.now() < atMs);
    process.stdout.write(`${await tryToStart(settings)}\n`);
  }
}

async function tryToStart(config: AgentConfig): Promise<string> {
  try {
    await startAgent(config);
    return 'held';
  } catch (error) {
    return error instanceof Error ? error.message : 'no error';
  }
}

await run();
process.exit();
