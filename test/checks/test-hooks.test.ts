import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';

const CHECKOUT = join(import.meta.dirname, '../..');
/** Unit tests share one process: what stands outside of a suite is run for the tests of all files. */
const SHARED = /^(?:beforeEach|afterEach)\(/m;

suite('hooks of unit tests', () => {
  test('stand in a suite where they are for each test', () => {
    const files = globSync(['*/src/**/*.test.ts', 'native/*/src/**/*.test.ts', 'test/checks/**/*.test.ts'], {
      cwd: CHECKOUT,
    });
    assert.ok(files.length > 100);
    assert.deepEqual(
      files.filter((file) => SHARED.test(readFileSync(join(CHECKOUT, file), 'utf8'))),
      [],
    );
  });

  test('are found where they do not', () => {
    assert.ok(SHARED.test("import x from 'y';\nbeforeEach(() => {\n  reset();\n});\n"));
    assert.ok(!SHARED.test("suite('x', () => {\n  beforeEach(() => reset());\n});\n"));
  });
});
