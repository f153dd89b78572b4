import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CliError } from './cli-error.ts';
import { type Command, integerFlag, parseCommandLine } from './command.ts';

const command: Command = {
  name: 'probe',
  summary: 'a command for tests',
  positionals: 'FILE',
  arity: [1, 1],
  options: {
    out: { type: 'string', help: 'where to' },
    many: { type: 'string', help: 'again and again', multiple: true },
    dry: { type: 'boolean', help: 'do nothing' },
    count: { type: 'string', help: 'a number' },
  },
  run: () => Promise.resolve(0),
};

const usage = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.exitCode === 2 && pattern.test(error.message);

suite('the words behind a command', () => {
  test('declared flags and positionals are read', () => {
    const { flags, positionals } = parseCommandLine(command, [
      'a',
      '--out',
      'b',
      '--many',
      '1',
      '--many',
      '2',
      '--json',
    ]);
    assert.deepEqual(positionals, ['a']);
    assert.equal(flags.text('out'), 'b');
    assert.deepEqual(flags.texts('many'), ['1', '2']);
    assert.equal(flags.has('dry'), false);
    assert.equal(flags.has('json'), true);
  });

  test('an unknown flag is named, with the way to help', () => {
    assert.throws(() => parseCommandLine(command, ['a', '--otu', 'b']), usage(/--otu.*holdfast probe --help/));
  });

  test('a flag without its value is wrong use', () => {
    assert.throws(() => parseCommandLine(command, ['a', '--out']), usage(/--out/));
  });

  test('too few and too many positionals are wrong use', () => {
    assert.throws(() => parseCommandLine(command, []), usage(/takes FILE/));
    assert.throws(() => parseCommandLine(command, ['a', 'b']), usage(/takes FILE/));
  });

  test('--help needs no positionals', () => {
    assert.equal(parseCommandLine(command, ['--help']).flags.has('help'), true);
  });

  test('reading a flag that was not declared is a fault of the program', () => {
    const { flags } = parseCommandLine(command, ['a']);
    assert.throws(() => flags.text('undeclared'), TypeError);
  });

  test('a number is taken within its bounds only', () => {
    const read = (text: string) =>
      integerFlag(parseCommandLine(command, ['a', '--count', text]).flags, 'count', { min: 1, max: 10 });
    assert.equal(read('10'), 10);
    for (const wrong of ['0', '11', '1.5', '1e1', '0x1', '', ' 1', '99999999999999999999']) {
      assert.throws(() => read(wrong), usage(/whole number from 1 to 10/), wrong);
    }
  });
});
