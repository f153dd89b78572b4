import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { runCommandLine } from '../run-command-line.ts';

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-diff-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** Writes text and bytes as they stand, anything else as JSON. */
function write(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  return path;
}

async function diff(a: unknown, b: unknown) {
  const written = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
  };
  const argv = ['diff', write('a', a), write('b', b), '--json'];
  const status = await runCommandLine(argv, io, new AbortController().signal);
  return { status, err: written.err, document: written.out === '' ? undefined : JSON.parse(written.out) };
}

const row = (name: string, more: object = {}) => {
  const purl = `pkg:deb/debian/${name}@1?arch=amd64`;
  return { purl, type: 'deb', name, version: '1', arch: 'amd64', path: '/var/lib/dpkg/status', ...more };
};
const inventory = {
  format: 'holdfast-inventory-v1',
  databases: [{ type: 'deb', path: '/var/lib/dpkg/status', sha256: 'a'.repeat(64) }],
  complete: true,
  limits: [],
  packages: [row('bash'), row('zlib1g')],
  unowned: { executables: 0, sharedObjects: 0 },
};

suite('inventories', () => {
  test('an edited inventory is still one: order, further members, members that nobody compares, a late format', async () => {
    const { format, databases, ...promised } = inventory;
    for (const edited of [
      { ...inventory, packages: inventory.packages.toReversed() },
      { ...inventory, comment: 'mine', packages: [row('bash', { note: {} }), row('zlib1g')] },
      promised,
      { databases, ...promised, limits: Array.from({ length: 100 }, () => 'y'.repeat(64)), format },
      JSON.stringify(inventory, null, 2),
    ]) {
      const { status, err, document } = await diff(inventory, edited);
      assert.equal(status, 0, err);
      assert.equal(document.match, 2);
    }
  });

  test('an SBOM is told from an inventory by its own member, whatever text it holds', async () => {
    const sbom = {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      metadata: { properties: [{ name: 'from', value: 'holdfast-inventory-v1' }] },
      packages: [],
      components: inventory.packages.map(({ purl, name }) => ({ type: 'library', name, version: '1', purl })),
    };
    assert.equal((await diff(sbom, inventory)).status, 0);
  });

  test('what is no inventory after all is refused in a sentence', async () => {
    for (const [broken, sentence] of [
      [{ ...inventory, complete: undefined }, /inventory\.complete: missing/],
      [{ ...inventory, format: 'holdfast-inventory-v2' }, /inventory\.format/],
      [{ ...inventory, packages: [row('bash', { purl: 'bash' })] }, /inventory\.packages\[0\]\.purl/],
      ['{"packages":[],"packages":[]}', /duplicate/],
    ] as const) {
      const { status, err, document } = await diff(inventory, broken);
      assert.deepEqual([status, document], [3, undefined]);
      assert.match(err, sentence);
    }
  });
});
