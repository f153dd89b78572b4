import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseAgentConfig, startAgent } from '@holdfast/agent';

/** What the probe saw since it was asked last; a stall is time by which a timer of 5 ms came late. */
export interface ProbeReport {
  readonly worstStallMs: number;
  readonly worstReadMs: number;
  readonly reads: number;
}

const TICK_MS = 5;

/**
 * Runs one agent and watches its event loop and its thread pool meanwhile. On standard input `report` asks for what was
 * seen, one line of JSON, and `exit` ends the process by `process.exit(7)`, whatever is under way.
 */
async function main(): Promise<void> {
  const agent = await startAgent(parseAgentConfig(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'))));
  let [worstStallMs, worstReadMs, reads] = [0, 0, 0];
  let last = performance.now();
  setInterval(() => {
    worstStallMs = Math.max(worstStallMs, performance.now() - last - TICK_MS);
    last = performance.now();
  }, TICK_MS);
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'exit') process.exit(7);
    process.stdout.write(`${JSON.stringify({ worstStallMs, worstReadMs, reads } satisfies ProbeReport)}\n`);
    [worstStallMs, worstReadMs, reads] = [0, 0, 0];
  });
  process.stdout.write(`${agent.listenAddress}\n`);
  for (;;) {
    const begin = performance.now();
    await readFile(new URL(import.meta.url));
    worstReadMs = Math.max(worstReadMs, performance.now() - begin);
    reads += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

await main();
