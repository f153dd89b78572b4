import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** The list itself, which cannot hold its own digest. */
export const AGENT_FILES_NAME = 'agent-files.json';

/** Lists the regular files below a build's directory: hex SHA-256 by path from there, sorted. Links are passed over. */
export async function listAgentFiles(root: string): Promise<Record<string, string>> {
  const files: [string, string][] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (entry.isFile() && name !== AGENT_FILES_NAME) files.push([name, await hashFile(path)]);
  }
  return Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function hashFile(path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path)) hasher.update(chunk);
  return hasher.digest('hex');
}
