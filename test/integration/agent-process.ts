import { readFile } from 'node:fs/promises';
import { parseAgentConfig, startAgent } from '@holdfast/agent';

/** Runs one agent as a process of its own, so that a test can kill it; settings stand in the file that is named. */
const running = await startAgent(parseAgentConfig(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'))));
process.stdout.write(`${running.listenAddress}\n`);
