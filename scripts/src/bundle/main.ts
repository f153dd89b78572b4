/** Writes one file of a build that holds a module and all that it imports: `main.ts COMMONJS-BUILD BUILD ENTRY OUT`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { linkModules } from './link-modules.ts';

const [modules = '', build = '', entry = '', out = ''] = process.argv.slice(2);
if (out === '') throw new Error('name the build as CommonJS, the build, the module and the file to write');

const PACKAGES: Readonly<Record<string, string>> = {
  '@holdfast/agent': 'agent',
  '@holdfast/evidence': 'evidence',
  '@holdfast/proto': 'proto',
  '@holdfast/rootfs': 'native/rootfs',
  '@holdfast/verifier': 'verifier',
};

/** JavaScript as CommonJS from the one, anything else (package.json) from the other. */
function read(path: string): string {
  return readFileSync(join(path.endsWith('.js') ? modules : build, path), 'utf8');
}

function findPackage(name: string): string | undefined {
  const [scope = '', own = '', ...entryPoint] = name.split('/');
  const directory = PACKAGES[`${scope}/${own}`];
  if (directory === undefined) return undefined;
  const manifest: { exports?: Record<string, string> } = JSON.parse(read(`${directory}/package.json`));
  const target = manifest.exports?.[['.', ...entryPoint].join('/')];
  if (target === undefined) throw new Error(`${name} is no entry point`);
  return posix.join(directory, target);
}

const text = linkModules(entry, out, { read, findPackage });
writeFileSync(join(build, out), text);
process.stdout.write(`${join(build, out)}: ${text.length} bytes\n`);
