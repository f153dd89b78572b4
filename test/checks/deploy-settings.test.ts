import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parseAgentConfig } from '@holdfast/agent';
import { loadTrust, parseVerifierConfig } from '@holdfast/verifier';
import { CHECKOUT, readText } from './docs-source.ts';

const BASE = 'deploy/base';

/** What each file of the base is read with; the names stand in kustomization.yaml. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  // The name of the kube node comes from the DaemonSet, by --node.
  'agent-config.json': (text) => parseAgentConfig({ kubeNode: 'node-1', ...readServed(text, 'agent') }),
  'verifier-config.json': (text) => parseVerifierConfig(readServed(text, 'verifier')),
  'trust.json': (text) => loadTrust(Buffer.from(text)),
};

/** The settings of one process, the only ones in its file. */
function readServed(text: string, process: string): object {
  const document: { serve?: Record<string, object> } = JSON.parse(text);
  assert.deepEqual(Object.keys(document), ['serve']);
  assert.deepEqual(Object.keys(document.serve ?? {}), [process]);
  return document.serve?.[process] ?? {};
}

function readSettings(name: string, text: string): unknown {
  const read = READERS[name];
  if (read === undefined) throw new Error(`nothing here reads ${name}`);
  return read(text);
}

suite('deploy/base has settings of this version', () => {
  const names = readdirSync(join(CHECKOUT, BASE)).filter((name) => name.endsWith('.json'));

  test('there is one file for each reader', () => {
    assert.deepEqual(names.toSorted(), Object.keys(READERS).toSorted());
  });

  for (const name of names) {
    test(`${name} is taken, and with a name that nobody knows it is not`, () => {
      const text = readText(join(BASE, name));
      readSettings(name, text);
      const planted = text.replace(/"(listen|format)"/, '"$1d"');
      assert.notEqual(planted, text);
      assert.throws(() => readSettings(name, planted));
    });
  }
});
