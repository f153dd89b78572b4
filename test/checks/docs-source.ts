import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout, without a slash at the end. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** A source file of the product: neither test, fixture nor generated code. */
export interface SourceFile {
  /** Relative to the checkout. */
  readonly path: string;
  /** Without the comments that stand on lines of their own. */
  readonly code: string;
}

/** What the running code says of itself. */
export interface Definitions {
  readonly commands: readonly { readonly name: string; readonly flags: readonly string[] }[];
  readonly findings: Readonly<Record<string, { severity: string; ceiling: string; meaning: string }>>;
}

const SOURCE_FOLDERS =
  'agent/src cli/src evidence/src proto/src scripts/src verifier/src native/rootfs native/tpm2-tss-node'.split(' ');
const SKIPPED_FOLDERS = new Set(['node_modules', 'gen', 'build', 'testing', 'test']);
const NO_PRODUCT = /\.(?:test|test-support|fixture)\.ts$|(?:^|\/)fake-[^/]*$/;

export function readText(path: string): string {
  return readFileSync(join(CHECKOUT, path), 'utf8');
}

export function listSources(): SourceFile[] {
  return SOURCE_FOLDERS.flatMap((folder) => listFiles(folder, SKIPPED_FOLDERS))
    .filter((path) => /\.(?:ts|cc|h)$/.test(path) && !NO_PRODUCT.test(path))
    .map((path) => ({ path, code: stripComments(readText(path)) }));
}

export function listDocuments(): string[] {
  const top = readdirSync(CHECKOUT).filter((name) => name.endsWith('.md'));
  const folders = ['docs', 'native', 'test'].flatMap((folder) => listFiles(folder, new Set(['node_modules', 'build'])));
  return [...top, ...folders.filter((path) => path.endsWith('.md'))];
}

function listFiles(folder: string, skipped: ReadonlySet<string>): string[] {
  return readdirSync(join(CHECKOUT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : listFiles(path, skipped);
    return entry.isFile() ? [path] : [];
  });
}

/** Comments on lines of their own, which is where the formatter puts them; other text may hold a comment's characters. */
function stripComments(code: string): string {
  return code.replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replaceAll(/^[ \t]*\/\/.*$/gm, '');
}

/** Members of a union of string literals, in their order; those of unions that it names are left out. */
export function readUnion(code: string, name: string): string[] {
  const body = new RegExp(`export type ${name} =([^;]*);`).exec(stripComments(code))?.[1];
  if (body === undefined) throw new Error(`no union ${name}`);
  return listLiterals(body);
}

export function listLiterals(code: string): string[] {
  return [...code.matchAll(/'([^']+)'/g)].map(([, text = '']) => text);
}

const DUMP = `
const { COMMANDS } = await import(process.argv[1] + '/cli/src/commands.ts');
const { FINDING_RULES } = await import(process.argv[1] + '/verifier/src/appraisal/finding-code.ts');
const commands = [];
for (const { name, load } of COMMANDS) commands.push({ name, flags: Object.keys((await load()).options) });
process.stdout.write(JSON.stringify({ commands, findings: FINDING_RULES }));
`;

/** Asks the code itself, in a process of its own: what is loaded only for this is not covered by any test. */
export function readDefinitions(): Definitions {
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', DUMP, CHECKOUT];
  const result = spawnSync(process.execPath, options, { encoding: 'utf8', env, timeout: 20_000 });
  if (result.status !== 0) throw new Error(`the definitions cannot be read: ${result.stderr}`);
  const definitions: Definitions = JSON.parse(result.stdout);
  return definitions;
}
