import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { compileFunction } from 'node:vm';
import { linkModules, type ModuleSource } from './link-modules.ts';

const FILES: Readonly<Record<string, string>> = {
  'a/main.js': `const b_1 = require("./sub/b.js"); const again = require("./sub/b.js"); const own = require("@own/c");
    const path = require("node:path"); const late = () => Promise.resolve().then(() => __importStar(require('./late.js')));
    const m = require("./m.json");
    globalThis.told = [b_1.counter === again.counter, own.name, path.posix.basename('/x/y'), m.version, late.toString()];`,
  'a/sub/b.js':
    'exports.counter = {}; exports.directory = import.meta.dirname; globalThis.directory = import.meta.dirname;',
  'a/m.json': '{"version": "1"}',
  'c/index.js': 'exports.name = "c"; const main = require("../a/main.js");',
};

const source: ModuleSource = {
  read: (path) => {
    const text = FILES[path];
    if (text === undefined) throw new Error(`no ${path}`);
    return text;
  },
  findPackage: (name) => (name === '@own/c' ? 'c/index.js' : undefined),
};

suite('the linked file', () => {
  test('holds each module once, knows where each lay, and leaves to import() what it names', () => {
    const run = compileFunction(linkModules('a/main.js', 'a/out.cjs', source), ['require', '__dirname']);
    run(process.getBuiltinModule('node:module').createRequire(import.meta.url), '/build/a');
    const { told, directory } = globalThis as unknown as { told: unknown[]; directory: string };
    assert.deepEqual(told.slice(0, 4), [true, 'c', 'y', '1']);
    assert.match(String(told[4]), /import\("\.\/late\.js"\)/);
    assert.equal(directory, '/build/a/sub');
  });

  test('is not made of a module that is missing', () => {
    assert.throws(() => linkModules('a/missing.js', 'a/out.cjs', source), /no a\/missing\.js/);
  });
});
