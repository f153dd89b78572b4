import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { suite, test } from 'node:test';
import { CHECKOUT, listDocuments, readText } from './docs-source.ts';

/** A path of the checkout in running text, or a pattern of paths. */
const PATH = /(?<![\w./@-])(?:agent|cli|deploy|docs|evidence|native|proto|scripts|test|verifier)\/[\w./*…-]*[\w/*…]/g;

/** Links and paths in a document that lead nowhere. `path` is that of the document, relative to the checkout. */
function findBrokenLinks(path: string, markdown: string): string[] {
  const text = markdown.replaceAll(/^```[\s\S]*?^```/gm, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const local = links.filter((target) => !/^[a-z]+:/.test(target));
  // A package's own readme may name paths of the checkout or of the package.
  const exists = (found: string) => ['', dirname(path)].some((folder) => existsSync(join(CHECKOUT, folder, found)));
  const named = [...text.matchAll(PATH)].map(([found]) => found).filter((found) => !/[*…]/.test(found));
  const paths = named.filter((found) => !exists(found));
  return [...local.filter((target) => !leadsSomewhere(path, markdown, target)), ...paths].map(
    (target) => `${path}: ${target}`,
  );
}

function leadsSomewhere(path: string, markdown: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const found = normalize(join(dirname(path), file));
  if (file !== '' && !existsSync(join(CHECKOUT, found))) return false;
  if (anchor === undefined) return true;
  const headings = (file === '' ? markdown : readText(found)).matchAll(/^#+ (.*)$/gm);
  return [...headings].some(([, heading = '']) => toAnchor(heading) === anchor);
}

/** As code hosts make it: lower case, punctuation dropped, spaces to dashes. */
function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

suite('links and paths in documents lead somewhere', () => {
  test('all of them', () => {
    const documents = listDocuments();
    assert.ok(documents.includes('README.md') && documents.includes('docs/protocol.md'));
    assert.deepEqual(
      documents.flatMap((path) => findBrokenLinks(path, readText(path))),
      [],
    );
  });

  test('a link, an anchor or a path that leads nowhere is found', () => {
    const text = [
      '# A heading\n[a](gone.md) [b](operations.md#no-such-heading) [c](#a-heading) [d](https://example.com/x.md)',
      'see docs/operations.md, `agent/src/planted.ts` and `/host/agent/x`',
    ].join('\n');
    assert.deepEqual(findBrokenLinks('docs/planted.md', text), [
      'docs/planted.md: gone.md',
      'docs/planted.md: operations.md#no-such-heading',
      'docs/planted.md: agent/src/planted.ts',
    ]);
  });
});
