import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isInventoryAlone } from './inventory-alone.ts';

suite('an inventory that needs nothing else', () => {
  test('is that of a directory as a table or --json', () => {
    assert.equal(isInventoryAlone(['inventory', '/nonexistent/root']), true);
    assert.equal(isInventoryAlone(['inventory', '/nonexistent/root', '--json']), true);
    assert.equal(isInventoryAlone(['inventory', '--json', 'root']), true);
  });

  test('is none of a container, none with other words, and none of another command', () => {
    for (const words of [
      ['inventory'],
      ['inventory', '--json'],
      ['inventory', 'container:abc'],
      ['inventory', 'root', 'other'],
      ['inventory', 'root', '--format', 'cyclonedx'],
      ['inventory', 'root', '--format=json'],
      ['inventory', '--', 'root'],
      ['inventory', '-h'],
      ['diff', 'root'],
      [],
    ])
      assert.equal(isInventoryAlone(words), false, words.join(' '));
  });

  test('is none of an image layout', () => {
    const layout = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
    writeFileSync(join(layout, 'oci-layout'), '{}');
    assert.equal(isInventoryAlone(['inventory', layout]), false);
    assert.equal(isInventoryAlone(['inventory', `${layout}:latest`, '--json']), false);
    rmSync(layout, { recursive: true });
  });
});
