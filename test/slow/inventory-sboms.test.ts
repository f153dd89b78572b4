import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cacheDebianRoot, run } from '../integration/layer-fixtures.ts';
import { cacheLanguageRoot } from './language-root.ts';
import { openSbomTools, type SbomTools } from './sbom-tools.ts';

const HOLDFAST = fileURLToPath(new URL('../../scripts/holdfast', import.meta.url));
const MAX_OUTPUT = { maxBuffer: 1 << 27 };
const skip =
  process.arch !== 'x64' ? 'the tools come from npm for x86-64 only' : process.getuid?.() === 0 ? false : 'needs root';

/** What no package of the system owns; names and versions that tools write in different ways. */
const ADDED: Readonly<Record<string, string>> = {
  'opt/app/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0","license":"MIT"}',
  'opt/app/node_modules/@scope/tool/package.json': '{"name":"@scope/tool","version":"2.0.0-beta+build.5"}',
  'opt/app/node_modules/left-pad/node_modules/deep/package.json': '{"name":"deep","version":"0.1.0"}',
  'opt/venv/lib/python3.11/site-packages/Foo_Bar.Baz-1.0.dist-info/METADATA':
    'Metadata-Version: 2.1\nName: Foo_Bar.Baz\nVersion: 1.0\n\n',
};
const ADDED_PURLS = [
  'pkg:npm/%40scope/tool@2.0.0-beta%2Bbuild.5',
  'pkg:npm/deep@0.1.0',
  'pkg:npm/left-pad@1.3.0',
  'pkg:pypi/foo-bar-baz@1.0',
];

interface Comparison {
  readonly match: number;
  readonly explained: readonly { readonly purl: string; readonly reason: string }[];
  readonly unexpected: readonly string[];
  readonly missing: readonly string[];
  readonly changed: readonly unknown[];
}

const CASES = [
  { name: 'of a small root', tar: cacheDebianRoot, least: 80, tools: ['runTrivy', 'runCdxgen'] },
  { name: 'of a root with five languages', tar: cacheLanguageRoot, least: 500, tools: ['runTrivy'] },
] as const;

for (const { name, tar, least, tools } of CASES) {
  describe(`SBOMs ${name}`, { skip, timeout: 1_200_000 }, () => {
    let work = '';
    let root = '';
    let made: SbomTools;

    before(async () => {
      work = await mkdtemp(join(tmpdir(), 'holdfast-sboms-'));
      root = join(work, 'root');
      await mkdir(root);
      await run('tar', ['--numeric-owner', '-C', root, '-xf', await tar()]);
      for (const [path, content] of Object.entries(ADDED)) {
        await mkdir(join(root, dirname(path)), { recursive: true });
        await writeFile(join(root, path), content);
      }
      for (const format of ['json', 'cyclonedx']) {
        const { stdout } = await run(HOLDFAST, ['inventory', root, '--format', format], MAX_OUTPUT);
        await writeFile(join(work, `ours.${format}`), stdout);
      }
      made = await openSbomTools(work);
    });
    after(() => rm(work, { recursive: true, force: true }));

    /** `holdfast diff`, whatever its exit code. */
    async function compare(expected: string, actual = 'ours.json'): Promise<Comparison> {
      const args = ['diff', join(work, expected), join(work, actual), '--json'];
      const { stdout } = await run(HOLDFAST, args, MAX_OUTPUT).catch((error: unknown) => {
        if (typeof error === 'object' && error !== null && 'stdout' in error && error.stdout !== '') return error;
        throw error;
      });
      return JSON.parse(String(stdout));
    }

    for (const tool of tools) {
      it(`by ${tool.slice(3).toLowerCase()} leave no row unexplained, and hide none`, async () => {
        const sbom = `${tool}.json`;
        await made[tool](root, join(work, sbom));
        const { match, explained, unexpected, missing, changed } = await compare(sbom);
        assert.deepEqual({ unexpected, missing, changed }, { unexpected: [], missing: [], changed: [] });
        assert.ok(match >= least + ADDED_PURLS.length, `${match} match`);
        const reasons = new Set(explained.map(({ reason }) => reason));
        assert.deepEqual(
          [...reasons].filter((reason) => reason !== 'os-owned' && reason !== 'source-package'),
          [],
        );
        // Taken from the tool's list one by one, the packages that nobody owns are unexpected one by one.
        const text = await readFile(join(work, sbom), 'utf8');
        await writeFile(
          join(work, 'cut.json'),
          text.replaceAll(/"purl": ?"pkg:npm\/left-pad@/g, '"purl":"pkg:npm/right-pad@'),
        );
        const cut = await compare('cut.json');
        assert.deepEqual([cut.unexpected, cut.missing], [['pkg:npm/left-pad@1.3.0'], ['pkg:npm/right-pad@1.3.0']]);
      });
    }

    it('of our own are valid by the schema of CycloneDX 1.6 and hold the same packages', async () => {
      const document: unknown = JSON.parse(await readFile(join(work, 'ours.cyclonedx'), 'utf8'));
      assert.deepEqual(made.validate(document), []);
      assert.ok(typeof document === 'object' && document !== null);
      assert.notDeepEqual(made.validate({ ...document, components: [{ name: 'without a type' }] }), []);
      const { explained, unexpected, missing, changed } = await compare('ours.cyclonedx');
      assert.deepEqual(
        { explained, unexpected, missing, changed },
        { explained: [], unexpected: [], missing: [], changed: [] },
      );
    });

    it('have what was added and nobody owns', async () => {
      const { packages } = JSON.parse(await readFile(join(work, 'ours.json'), 'utf8'));
      const unowned = packages.filter(
        (each: { type: string; ownedBy?: string }) => each.type !== 'deb' && each.ownedBy === undefined,
      );
      assert.deepEqual(
        unowned.map(({ purl }: { purl: string }) => purl),
        ADDED_PURLS,
      );
    });
  });
}
