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

const sbom = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  components: inventory.packages.map(({ purl, name }) => ({ type: 'library', name, version: '1', purl })),
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
    const quoting = {
      ...sbom,
      metadata: { properties: [{ name: 'from', value: 'holdfast-inventory-v1' }] },
      packages: [],
    };
    assert.equal((await diff(quoting, inventory)).status, 0);
  });

  test('what a cut inventory has and the complete one has not is found; what it lacks decides nothing', async () => {
    const cut = { ...inventory, complete: false, limits: ['time'], packages: [row('bash'), row('evil')] };
    const nothing = { unexpected: [], missing: [] };
    const evil = [row('evil').purl];
    const later = await diff(inventory, cut);
    assert.equal(later.status, 1);
    assert.deepEqual(later.document, { complete: false, reason: 'ACTUAL_INCOMPLETE', ...nothing, unexpected: evil });
    const earlier = await diff(cut, inventory);
    assert.equal(earlier.status, 1);
    assert.deepEqual(earlier.document, { complete: false, reason: 'EXPECTED_INCOMPLETE', ...nothing, missing: evil });
    const less = await diff(inventory, { ...cut, packages: [row('bash')] });
    assert.deepEqual([less.status, less.document], [3, undefined]);
    assert.match(less.err, /the second list says of itself that it is cut/);
    assert.equal((await diff(cut, { ...cut, packages: [row('other')] })).status, 3);
    assert.equal((await diff(inventory, inventory)).document.complete, true);
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

suite('SBOMs', () => {
  test('a byte order mark is passed over', async () => {
    const marked = (value: unknown) => `\ufeff${JSON.stringify(value)}`;
    assert.equal((await diff(marked(sbom), marked(inventory))).status, 0);
  });

  test('an SBOM that says of itself that it is not complete decides as little as a cut inventory', async () => {
    const metadata = { component: { type: 'container', 'bom-ref': 'subject', name: 'app' } };
    const cut = { ...sbom, metadata, compositions: [{ aggregate: 'incomplete', assemblies: ['subject'] }] };
    for (const [a, b, which] of [
      [cut, inventory, 'first'],
      [sbom, cut, 'second'],
      [{ ...inventory, complete: false }, inventory, 'first'],
    ] as const) {
      const { status, err, document } = await diff(a, b);
      assert.deepEqual([status, document], [3, undefined]);
      assert.match(err, new RegExp(`the ${which} list says of itself that it is cut`));
    }
  });

  test('other formats are named, with the way out', async () => {
    for (const [other, sentence] of [
      ['<?xml version="1.0"?><bom/>', /\/a is XML; only JSON is read/],
      ['SPDXVersion: SPDX-2.3\n', /\/a is SPDX as tag-value/],
      [{ artifacts: [], schema: {} }, /\/a is syft's own JSON; use -o cyclonedx-json/],
      [{ '@graph': [] }, /\/a is SPDX 3/],
      [{ packages: {} }, /\/a is neither an inventory nor CycloneDX or SPDX 2\.3/],
      [[], /\/a is neither/],
    ] as const) {
      const { status, err, document } = await diff(other, inventory);
      assert.deepEqual([status, document], [3, undefined]);
      assert.match(err, sentence);
    }
  });

  test('the SBOM within a statement, an envelope or a bundle is compared, and that nothing was verified is said', async () => {
    const statement = { _type: 'https://in-toto.io/Statement/v1', subject: [], predicateType: 'x', predicate: sbom };
    const payload = Buffer.from(JSON.stringify(statement)).toString('base64');
    const envelope = { payloadType: 'application/vnd.in-toto+json', payload, signatures: [] };
    for (const signed of [statement, envelope, { mediaType: 'x', dsseEnvelope: envelope }]) {
      const { status, err } = await diff(signed, inventory);
      assert.equal(status, 0, err);
      assert.match(err, /\/a: the signature of this SBOM is not checked\n$/);
    }
    const other = await diff({ ...statement, predicate: { builder: {} } }, inventory);
    assert.equal(other.status, 3);
    assert.match(other.err, /in-toto statement about something that is no SBOM/);
    const broken = await diff({ ...envelope, payload: 'e30!' }, inventory);
    assert.equal(broken.status, 3);
  });

  test('an SBOM of 20 MiB is read, with more files and relationships than there may be packages', async () => {
    const spdx = {
      spdxVersion: 'SPDX-2.3',
      SPDXID: 'SPDXRef-DOCUMENT',
      creationInfo: { creators: ['Tool: x'] },
      packages: inventory.packages.map(({ purl, name }) => ({
        SPDXID: `SPDXRef-${name}`,
        name,
        versionInfo: '1',
        externalRefs: [{ referenceType: 'purl', referenceLocator: purl }],
      })),
      files: Array.from({ length: 110_000 }, (_, at) => ({ SPDXID: `SPDXRef-f${at}`, fileName: '/'.padEnd(60, 'x') })),
      relationships: Array.from({ length: 110_000 }, (_, at) => ({
        spdxElementId: 'SPDXRef-bash',
        relationshipType: 'CONTAINS',
        relatedSpdxElement: `SPDXRef-f${at}`,
      })),
    };
    const text = JSON.stringify(spdx);
    assert.ok(text.length > 20 << 20, String(text.length));
    assert.equal((await diff(text, inventory)).status, 0);
  });
});
