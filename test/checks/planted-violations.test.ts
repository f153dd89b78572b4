import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(CHECKOUT, 'node_modules/.bin');
const CONFIG_FILES = [
  'biome.json',
  '.oxlintrc.json',
  'tsconfig.json',
  'knip.json',
  'buf.yaml',
  'buf.gen.yaml',
  '.clang-format',
  '.c8rc.json',
  'package.json',
];

/** One tree with one fault; the tool must name it. The same tree without the fault must pass. */
interface Planting {
  readonly title: string;
  readonly file: string;
  readonly clean: string;
  readonly planted: string;
  readonly command: readonly string[];
  /** What the tool prints about the planted fault. */
  readonly complaint: RegExp;
}

const BIOME = ['biome', 'ci', '--colors=off', '--error-on-warnings', '--vcs-enabled=false', 'agent', 'evidence'];
const OXLINT = ['oxlint', '--type-aware', '--deny-warnings', 'agent', 'evidence'];
const TSC = ['tsc', '--noEmit', '-p', '.'];

const PLANTINGS: readonly Planting[] = [
  {
    title: 'biome finds a dependency that is not declared',
    file: 'agent/src/index.ts',
    clean: "import { pino } from 'pino';\n\nexport const log = pino();\n",
    planted: "import { parse } from 'left-pad';\n\nexport const log = parse();\n",
    command: BIOME,
    complaint: /noUndeclaredDependencies/,
  },
  {
    title: 'biome finds I/O in the pure core',
    file: 'evidence/src/index.ts',
    clean: "import { createHash } from 'node:crypto';\n\nexport const hash = createHash;\n",
    planted: "import { readFileSync } from 'node:fs';\n\nexport const hash = readFileSync;\n",
    command: BIOME,
    complaint: /evidence is pure/,
  },
  {
    title: 'biome finds the process in the pure core',
    file: 'evidence/src/index.ts',
    clean: 'export const pid = 1;\n',
    planted: 'export const pid = process.pid;\n',
    command: BIOME,
    complaint: /evidence is pure: no process/,
  },
  {
    title: 'biome finds a relative import that crosses a workspace border',
    file: 'agent/src/index.ts',
    clean: "export { a } from './b.ts';\n",
    planted: "export { a } from '../../verifier/src/b.ts';\n",
    command: BIOME,
    complaint: /cross a workspace border by the package name/,
  },
  {
    title: 'biome finds an import cycle',
    file: 'agent/src/b.ts',
    clean: 'export const a = 1;\n',
    planted: "export { a } from './index.ts';\n",
    command: BIOME,
    complaint: /noImportCycles/,
  },
  {
    title: 'biome finds bad formatting',
    file: 'agent/src/b.ts',
    clean: 'export const a = 1;\n',
    planted: 'export const a   = 1\n',
    command: BIOME,
    complaint: /format/,
  },
  {
    title: 'oxlint finds a promise that nobody waits for',
    file: 'agent/src/b.ts',
    clean: 'export async function a(): Promise<void> {\n  await Promise.resolve();\n}\nawait a();\n',
    planted: 'export async function a(): Promise<void> {\n  await Promise.resolve();\n}\na();\n',
    command: OXLINT,
    complaint: /no-floating-promises/,
  },
  {
    title: 'oxlint finds a file of more than 400 lines',
    file: 'agent/src/b.ts',
    clean: `${'export {};\n'.repeat(1)}`,
    planted: `${'export {};\n'.repeat(401)}`,
    command: OXLINT,
    complaint: /max-lines/,
  },
  {
    title: 'tsc finds a wrong type',
    file: 'agent/src/b.ts',
    clean: 'export const a: number = 1;\n',
    planted: "export const a: number = 'one';\n",
    command: TSC,
    complaint: /TS2322/,
  },
  {
    title: 'tsc finds syntax that Node cannot strip',
    file: 'agent/src/b.ts',
    clean: "export const a = { b: 'b' } as const;\n",
    planted: "export enum a {\n  B = 'b',\n}\n",
    command: TSC,
    complaint: /TS1294/,
  },
  {
    title: 'knip finds an export that nothing uses',
    file: 'agent/src/b.ts',
    clean: 'export const a = 1;\n',
    planted: 'export const a = 1;\nexport const unused = 2;\n',
    command: ['knip', '--no-progress', '--include', 'exports', '--workspace', 'agent'],
    complaint: /unused/,
  },
  {
    title: 'buf finds a field that is not named as the style wants',
    file: 'proto/holdfast/v1/a.proto',
    clean: 'syntax = "proto3";\n\npackage holdfast.v1;\n\nmessage A {\n  string some_name = 1;\n}\n',
    planted: 'syntax = "proto3";\n\npackage holdfast.v1;\n\nmessage A {\n  string someName = 1;\n}\n',
    command: ['buf', 'lint'],
    complaint: /lower_snake_case/,
  },
  {
    title: 'clang-format finds bad formatting',
    file: 'native/a/src/a.cc',
    clean: 'int main() { return 0; }\n',
    planted: 'int   main( ) {return 0 ;}\n',
    command: ['clang-format', '--dry-run', '--Werror', 'native/a/src/a.cc'],
    complaint: /clang-format-violations/,
  },
  {
    title: 'c8 finds code that no test runs',
    file: 'agent/src/b.test.ts',
    clean: "import './covered.ts';\n",
    planted: "import './uncovered.ts';\n",
    command: ['c8', '--config', '.c8rc.json', 'node', '--disable-warning=ExperimentalWarning', 'agent/src/b.test.ts'],
    complaint: /does not meet global threshold/,
  },
];

suite('every checker finds a planted violation, and passes the same tree without it', { concurrency: 2 }, () => {
  let root = '';
  before(() => {
    // Outside the checkout: its .gitignore would hide the trees from the tools.
    root = mkdtempSync(join(tmpdir(), 'holdfast-planted-'));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  for (const planting of PLANTINGS) {
    test(planting.title, () => {
      const clean = runOn(makeTree(root, planting.file, planting.clean), planting.command);
      assert.equal(clean.status, 0, `the clean tree must pass:\n${clean.output}`);
      const planted = runOn(makeTree(root, planting.file, planting.planted), planting.command);
      assert.notEqual(planted.status, 0, `the planted tree must fail:\n${planted.output}`);
      assert.match(planted.output, planting.complaint);
    });
  }
});

function makeTree(root: string, file: string, content: string): string {
  const tree = mkdtempSync(join(root, 'tree-'));
  for (const name of CONFIG_FILES) cpSync(join(CHECKOUT, name), join(tree, name));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(tree, 'node_modules'));
  const uncovered = Array.from({ length: 40 }, (_, at) => `export function f${at}(): number {\n  return ${at};\n}\n`);
  const files: Record<string, string> = {
    'agent/package.json': `${JSON.stringify({ name: '@holdfast/agent', type: 'module', exports: './src/index.ts', dependencies: { pino: '10.4.0' } }, null, 2)}\n`,
    'evidence/package.json': `${JSON.stringify({ name: '@holdfast/evidence', type: 'module' }, null, 2)}\n`,
    'agent/src/index.ts': "export { a } from './b.ts';\n",
    'agent/src/b.ts': 'export const a = 1;\n',
    'agent/src/covered.ts': 'export const covered = 1;\n',
    'agent/src/uncovered.ts': uncovered.join(''),
    'evidence/src/index.ts': 'export const pure = 1;\n',
    [file]: content,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  return tree;
}

function runOn(tree: string, command: readonly string[]): { status: number | null; output: string } {
  const [program = '', ...args] = command;
  // Coverage of this test must not spill into the checked tree, nor colours into what is matched.
  const { NODE_V8_COVERAGE: _, NODE_TEST_CONTEXT: __, FORCE_COLOR: ___, ...rest } = process.env;
  const env = { ...rest, PATH: `${BIN}:${dirname(process.execPath)}:${process.env['PATH']}` };
  const result = spawnSync(join(BIN, program), args, { cwd: tree, encoding: 'utf8', env, timeout: 20_000 });
  return { status: result.status, output: `${result.stdout}\n${result.stderr}` };
}
