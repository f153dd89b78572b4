/** Writes one file of a build that holds a module and all that it imports: `main.ts BUILD ENTRY OUT`. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleCommand } from './bundle-command.ts';

const [directory = '', entry = '', out = ''] = process.argv.slice(2);
if (out === '') throw new Error('name the build, the module and the file to write');
const sources = resolve(import.meta.dirname, '../../..');
await bundleCommand({ sources, entry, directory: resolve(directory), out });
process.stdout.write(`${join(directory, out)}: ${(await stat(join(directory, out))).size} bytes\n`);
