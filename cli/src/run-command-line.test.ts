import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { COMMANDS } from './commands.ts';
import { runCommandLine } from './run-command-line.ts';

async function run(...argv: string[]) {
  const written = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
  };
  const status = await runCommandLine(argv, io, new AbortController().signal);
  return { status, ...written };
}

suite('the command line', () => {
  test('--help lists every command', async () => {
    const { status, out } = await run('--help');
    assert.equal(status, 0);
    for (const { name } of COMMANDS) assert.ok(out.includes(`  ${name}`), name);
  });

  test('no command at all is wrong use and shows the help', async () => {
    const { status, out } = await run();
    assert.equal(status, 2);
    assert.match(out, /Usage: holdfast COMMAND/);
  });

  test('an unknown command is named in a sentence', async () => {
    const { status, err } = await run('atest\u001b[31m');
    assert.equal(status, 2);
    assert.equal(err, 'holdfast: there is no command "atest\\u{1b}[31m"; holdfast --help lists them\n');
  });

  test('the first word of several commands lists them', async () => {
    const { status, err } = await run('inspect');
    assert.equal(status, 2);
    assert.match(err, /inspect token, inspect snapshot/);
  });

  test('--help behind that word lists them too, and is no wrong use', async () => {
    for (const [first, last] of [
      ['inspect', 'inspect quote'],
      ['build', 'build attest'],
      ['reference', 'reference revoke'],
    ] as const) {
      for (const flag of ['--help', '-h']) {
        const { status, out, err } = await run(first, flag);
        assert.deepEqual([status, err], [0, ''], first);
        assert.match(out, new RegExp(`^Usage: holdfast ${first} COMMAND [^]*\\n  ${last} `));
        assert.doesNotMatch(out, /inventory/);
      }
    }
    assert.equal((await run('inspect', 'nothing')).status, 2);
    assert.match((await run('nodes', '-h')).out, /^holdfast nodes: /);
  });

  test('a file that does not exist ends with 3 and a sentence, without a stack', async () => {
    for (const words of [['verify'], ['inspect', 'token'], ['inspect', 'snapshot'], ['diff', '/nonexistent/a']]) {
      const { status, err } = await run(...words, '/nonexistent/b');
      assert.equal(status, 3, words.join(' '));
      assert.match(err, /^holdfast: \/nonexistent\/[ab] does not exist\n$/);
    }
  });

  test('inventory: --json and a table exclude each other', async () => {
    const { status, err } = await run('inventory', '/', '--json', '--format', 'table');
    assert.equal(status, 2);
    assert.match(err, /^holdfast: --json and --format table exclude each other/);
  });

  for (const entry of COMMANDS) {
    const { name } = entry;
    test(`${name} has a name, a summary and help for every flag, and refuses an unknown one`, async () => {
      const command = await entry.load();
      assert.equal(command.name, name);
      assert.notEqual(command.summary, '');
      const help = await run(...name.split(' '), '--help');
      assert.equal(help.status, 0);
      assert.deepEqual(await run(...name.split(' '), '-h'), help);
      for (const flag of Object.keys(command.options)) assert.ok(help.out.includes(`--${flag}`), flag);
      const wrong = await run(...name.split(' '), '--no-such-flag');
      assert.equal(wrong.status, 2);
      assert.match(wrong.err, /--no-such-flag/);
      assert.doesNotMatch(wrong.err, /\n\s+at /);
    });
  }
});
