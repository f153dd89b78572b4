import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CliError } from './cli-error.ts';
import { parseClientConfig } from './client-config.ts';

const parse = (value: unknown) => parseClientConfig(Buffer.from(JSON.stringify(value)), '/etc/holdfast/config.json');
const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.exitCode === 3 && pattern.test(error.message);

suite('the settings file', () => {
  test('paths are taken from where the file lies', () => {
    const config = parse({ tls: { ca: 'ca.pem', cert: '/tls/c.pem', key: '../k.pem' }, trust: 'trust.json' });
    assert.deepEqual(config.tls, { ca: '/etc/holdfast/ca.pem', cert: '/tls/c.pem', key: '/etc/k.pem' });
    assert.equal(config.trust, '/etc/holdfast/trust.json');
    assert.equal(config.agent, null);
  });

  test('settings of the processes are handed on unread', () => {
    const config = parse({ serve: { agent: { anything: 1 } } });
    assert.deepEqual(config.serve, { agent: { anything: 1 }, verifier: {} });
  });

  test('a misspelt name is refused and named', () => {
    assert.throws(() => parse({ agnet: {} }), refused(/no setting "agnet"/));
    assert.throws(
      () => parse({ tls: { ca: 'a', cert: 'b', key: 'c', kee: 'd' } }),
      refused(/tls has no setting "kee"/),
    );
  });

  test('half of the TLS files is refused', () => {
    assert.throws(() => parse({ tls: { ca: 'a', cert: 'b' } }), refused(/tls needs ca, cert and key/));
  });

  test('what is no object, no text or no JSON is refused', () => {
    assert.throws(() => parse([]), refused(/must be an object/));
    assert.throws(() => parse({ trust: 1 }), refused(/trust must be a text/));
    assert.throws(() => parseClientConfig(Buffer.from('{'), '/x'), refused(/settings \/x/));
    assert.throws(() => parseClientConfig(Buffer.from('{"trust":"a","trust":"b"}'), '/x'), refused(/settings \/x/));
  });
});
