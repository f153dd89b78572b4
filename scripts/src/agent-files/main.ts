/** Writes the list of a build's files beside them, for whoever signs it: `main.ts DIRECTORY`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_FILES_NAME, listAgentFiles } from './list-agent-files.ts';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('name the directory of the build');
const manifest: unknown = JSON.parse(await readFile(join(directory, 'agent/package.json'), 'utf8'));
if (typeof manifest !== 'object' || manifest === null || !('version' in manifest))
  throw new Error('the agent of the build has no version');
const files = await listAgentFiles(directory);
const path = join(directory, AGENT_FILES_NAME);
await writeFile(path, `${JSON.stringify({ version: manifest.version, files }, null, 1)}\n`);
process.stdout.write(`${path}: ${Object.keys(files).length} files\n`);
