import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { before, suite, test } from 'node:test';
import { findCommandFaults, listCommandLines } from './docs-commands.ts';
import {
  type Definitions,
  listDocuments,
  listSources,
  readDefinitions,
  readText,
  type SourceFile,
} from './docs-source.ts';
import { compareSets, listCodes, listQuoted, readSection, readTable } from './docs-text.ts';

/** Commands and their flags, as the table of docs/operations.md has them, against the command line's own. */
function findCommandTableFaults(operations: string, { commands }: Definitions): string[] {
  const rows = readTable(operations, 'Commands');
  const names = commands.map(({ name }) => `holdfast ${name}`);
  const flags = rows.flatMap(([cell = '', documented = '']) => {
    const command = commands.find(({ name }) => cell === `\`holdfast ${name}\``);
    if (command === undefined) return [];
    const actual = command.flags.map((flag) => `--${flag}`);
    return compareSets(`holdfast ${command.name}`, listQuoted(documented), actual);
  });
  return [...compareSets('Commands', listCodes(rows), names), ...flags];
}

/** Sentences of the troubleshooting table that no source file says. Dots stand for what a sentence names. */
function findStaleSentences(operations: string, sources: readonly SourceFile[]): string[] {
  const code = sources.map((source) => source.code).join('\n');
  return listCodes(readTable(operations, 'Troubleshooting')).filter((sentence) => {
    const parts = sentence.split('…').filter((part) => part.trim().length > 3);
    return parts.length === 0 || parts.some((part) => !code.includes(part));
  });
}

/** Log messages that are recommended for alerts and that nothing logs. */
function findStaleLogLines(operations: string, sources: readonly SourceFile[]): string[] {
  const [, alerts = ''] = readSection(operations, 'Logs').split('Worth an alert:');
  return listQuoted(alerts).filter((message) => !sources.some(({ code }) => code.includes(`'${message}'`)));
}

/** Ecosystems that the inventory covers, by purl type. */
function findInventoryFaults(operations: string, sources: readonly SourceFile[]): string[] {
  const readers = sources.filter(({ path }) => path.startsWith('agent/src/inventory/'));
  const types = readers.flatMap(({ code }) =>
    [...code.matchAll(/formatPurl\(\{\s*type: '([a-z]+)'/g)].map(([, type = '']) => type),
  );
  return compareSets(
    'inventory',
    listCodes(readTable(operations, 'What the inventory covers').map(([type = '']) => [type])),
    [...new Set(types)],
  );
}

suite('docs/operations.md says what the programs do', () => {
  let operations = '';
  let sources: SourceFile[] = [];
  let definitions: Definitions;
  before(() => {
    operations = readText('docs/operations.md');
    sources = listSources();
    definitions = readDefinitions();
  });

  test('every command and each of its flags stands in the table, and no other', () => {
    assert.deepEqual(findCommandTableFaults(operations, definitions), []);
  });

  test('a command or flag that is missing or left over is found', () => {
    const noCommand = operations.replace(/^\| `holdfast nodes` .*\n/m, '');
    assert.deepEqual(findCommandTableFaults(noCommand, definitions), ['Commands: no row for holdfast nodes']);
    const noFlag = operations.replace(' `--heartbeat-ms`', '');
    assert.deepEqual(findCommandTableFaults(noFlag, definitions), ['holdfast agent: no row for --heartbeat-ms']);
    const oldFlag = operations.replace('`--format`', '`--format` `--planted`');
    assert.deepEqual(findCommandTableFaults(oldFlag, definitions), [
      'holdfast inventory: row of --planted is left over',
    ]);
  });

  test('every sentence of the troubleshooting table is said somewhere', () => {
    assert.deepEqual(findStaleSentences(operations, sources), []);
    const planted = operations.replace('| `no containerd at …` |', '| `no container demon at …` |');
    assert.deepEqual(findStaleSentences(planted, sources), ['no container demon at …']);
  });

  test('every log message that is worth an alert is logged', () => {
    assert.deepEqual(findStaleLogLines(operations, sources), []);
    const planted = operations.replace('`tpm lost`', '`tpm mislaid`');
    assert.deepEqual(findStaleLogLines(planted, sources), ['tpm mislaid']);
  });

  test('the ecosystems of the inventory are those that have a reader', () => {
    assert.deepEqual(findInventoryFaults(operations, sources), []);
    const planted = operations.replace(/^\| `gem` .*\n/m, '');
    assert.deepEqual(findInventoryFaults(planted, sources), ['inventory: no row for gem']);
  });
});

suite('commands in documents work as they are written', () => {
  let definitions: Definitions;
  before(() => {
    definitions = readDefinitions();
  });
  const listFaults = (markdown: string, folder = '.') =>
    listCommandLines(markdown).flatMap((line) => findCommandFaults(line, folder, definitions));

  test('the readme has commands, and all of them name programs and flags that exist', () => {
    const readme = readText('README.md');
    assert.ok(listCommandLines(readme).length >= 8);
    assert.deepEqual(listFaults(readme), []);
  });

  test('so do the other documents', () => {
    // The changelog tells of releases as they were.
    for (const path of listDocuments().filter((name) => name !== 'CHANGELOG.md')) {
      assert.deepEqual(listFaults(readText(path), dirname(path)), [], path);
    }
  });

  test('a script, command or flag that does not exist is found', () => {
    const text = [
      '```\n./scripts/quickstart --planted   # comment\nscripts/missing\nscripts/holdfast results --wach\n```',
      'and `holdfast planted` or `holdfast verify FILE --trust FILE` && `scripts/test --all`',
    ].join('\n');
    assert.deepEqual(listFaults(text), [
      './scripts/quickstart --planted: scripts/quickstart takes no --planted',
      'scripts/missing: there is no scripts/missing to run',
      'scripts/holdfast results --wach: holdfast results takes no --wach',
      'holdfast planted: there is no such command',
    ]);
  });
});
