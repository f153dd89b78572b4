import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeNative, openTpm } from 'tpm2-tss-node';
import { missingSwtpm, startSwtpm } from '../support/swtpm.ts';
import { responseOf, startTpmProxy } from '../support/tpm-proxy.ts';

const CC_HASH = 0x17d;

// A file of its own, and so a process of its own: the self-test runs once a process.
describe('the self-test at the first opening', { skip: missingSwtpm() ?? false }, () => {
  test('wrong cryptography is found before any command is taken', async () => {
    const swtpm = await startSwtpm({ ekCertificates: false });
    const proxy = await startTpmProxy(swtpm.socketPath);
    try {
      proxy.setRules({
        onResponse: (code, response) => {
          if (code !== CC_HASH) return 'forward';
          const changed = Buffer.from(response);
          changed[20] = (changed[20] ?? 0) ^ 1;
          return changed;
        },
      });
      await assert.rejects(openTpm({ tcti: proxy.tcti }), { code: 'ERR_TPM_NATIVE', message: /self-test failed/ });
      // What a wrong HMAC key would bring: the TPM refuses the session.
      proxy.setRules({ onCommand: (code) => (code === CC_HASH ? responseOf(0x98e) : 'forward') });
      await assert.rejects(openTpm({ tcti: proxy.tcti, exclusive: true }), { code: 'ERR_TPM_NATIVE' });
      proxy.setRules({});
      const tpm = await openTpm({ tcti: proxy.tcti });
      assert.ok(proxy.commands().includes(CC_HASH), 'the self-test has run');
      const hashes = proxy.commands().filter((code) => code === CC_HASH).length;
      await tpm.close();
      await (await openTpm({ tcti: proxy.tcti })).close();
      assert.equal(proxy.commands().filter((code) => code === CC_HASH).length, hashes, 'once a process');
    } finally {
      await proxy.close();
      await swtpm.close();
    }
  });

  test('libtss2-esys calls its own libcrypto, not the OpenSSL inside node', () => {
    const { esysPath, cryptoPath, cryptoVersion } = describeNative();
    assert.match(esysPath, /libtss2-esys\.so/);
    assert.match(cryptoPath, /libcrypto\.so/);
    assert.match(cryptoVersion, /^OpenSSL 3\./);
  });
});
