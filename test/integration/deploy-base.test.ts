import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BASE = fileURLToPath(new URL('../../deploy/base', import.meta.url));

/** The reason why nothing can be rendered here, for `skip`; undefined where it can. In CI nothing may be missing. */
function missingKubectl(): string | undefined {
  if (spawnSync('kubectl', ['version', '--client']).status === 0) return undefined;
  if (process.env['CI'] !== undefined) throw new Error('missing in CI: kubectl');
  return 'missing kubectl (Debian: kubernetes-client)';
}

interface Rendered {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}

/** The objects that a cluster would get. */
function render(): Rendered[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', BASE], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\n---\n').map((text) => ({
    kind: /^kind: (\S+)/m.exec(text)?.[1] ?? '',
    // The only name that stands two deep in the metadata.
    name: /^metadata:\n(?: {2}.*\n)*? {2}name: (\S+)/m.exec(text)?.[1] ?? '',
    text,
  }));
}

/** The files of a ConfigMap: blocks of text, each indented by four. */
function readFiles({ text }: Rendered): Map<string, string> {
  const blocks = text.matchAll(/^ {2}(\S+): \|\n((?: {4}.*\n?|\n)+)/gm);
  return new Map([...blocks].map(([, name = '', block = '']) => [name, block.replaceAll(/^ {4}/gm, '')]));
}

const listMounts = (text: string) => [...text.matchAll(/mountPath: (\S+)/g)].map(([, path = '']) => path);

/** Paths that the settings name, of files and directories. */
function listPaths(value: unknown): string[] {
  if (typeof value === 'string')
    return value.replace(/^device:/, '').startsWith('/') ? [value.replace(/^device:/, '')] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(listPaths) : [];
}

suite('deploy/base renders', { skip: missingKubectl() ?? false }, () => {
  const find = (objects: Rendered[], kind: string, name: RegExp) =>
    objects.find((object) => object.kind === kind && name.test(object.name)) ?? assert.fail(`no ${kind} ${name}`);

  test('all objects have a kind and a name, and all but the namespace lie in it', () => {
    const objects = render();
    const kinds = objects.map(({ kind }) => kind).toSorted();
    const expected = ['ConfigMap', 'ConfigMap', 'DaemonSet', 'Deployment', 'Namespace', 'NetworkPolicy'];
    assert.deepEqual(kinds, [...expected, 'PersistentVolumeClaim', 'Service', 'ServiceAccount', 'ServiceAccount']);
    for (const { kind, name, text } of objects) {
      assert.ok(name.startsWith('holdfast'), `${kind} ${name}`);
      if (kind !== 'Namespace') assert.match(text, /^ {2}namespace: holdfast$/m, name);
    }
  });

  for (const [role, kind] of [
    ['agent', 'DaemonSet'],
    ['verifier', 'Deployment'],
  ] as const) {
    test(`the ${role} gets its settings where it looks for them, and every path in them is mounted`, () => {
      const objects = render();
      const map = find(objects, 'ConfigMap', new RegExp(`^holdfast-${role}-`));
      const { text } = find(objects, kind, new RegExp(`^holdfast-${role}$`));
      assert.ok(text.includes(`name: ${map.name}\n`), 'the map is mounted by the name that it was given');
      const files = readFiles(map);
      const mounts = listMounts(text);
      const settings: unknown = JSON.parse(files.get('config.json') ?? '');
      const paths = [...listPaths(settings), '/etc/holdfast/config/config.json'];
      assert.ok(paths.length > 5);
      for (const path of paths) {
        assert.ok(
          mounts.some((mount) => path === mount || path.startsWith(`${mount}/`)),
          `${path} is not mounted`,
        );
        const [, file] = /^\/etc\/holdfast\/config\/(.*)$/.exec(path) ?? [];
        if (file !== undefined) assert.ok(files.has(file), `${file} is not in the map`);
      }
      assert.ok(text.includes(`- /etc/holdfast/config/config.json\n`));
    });
  }

  test('the files of the maps are those of the base, as they are', () => {
    const maps = render().filter(({ kind }) => kind === 'ConfigMap');
    const texts = maps.flatMap((map) => [...readFiles(map).values()]).map((text) => JSON.parse(text));
    const names = ['agent-config.json', 'verifier-config.json', 'trust.json'];
    for (const name of names) {
      const file = JSON.parse(readFileSync(`${BASE}/${name}`, 'utf8'));
      assert.ok(
        texts.some((text) => JSON.stringify(text) === JSON.stringify(file)),
        name,
      );
    }
  });
});
