import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentError } from '../agent-error.ts';
import { parseAgentConfig } from './parse-agent-config.ts';

const tls = { ca: '/tls/ca.pem', cert: '/tls/agent.pem', key: '/tls/agent.key' };
const smallest = {
  kubeNode: 'worker-1',
  tpm: { tcti: 'device:/dev/tpmrm0' },
  runtime: 'none',
  stateDir: '/var/lib/holdfast',
  verifier: { address: 'verifier:7443' },
  tls,
};

test('the smallest settings are filled with defaults', () => {
  assert.deepEqual(parseAgentConfig(smallest), {
    kubeNode: 'worker-1',
    tpm: { tcti: 'device:/dev/tpmrm0', ekTemplate: 'L-1', exclusive: false },
    runtime: 'none',
    stateDir: '/var/lib/holdfast',
    hostRoot: '/',
    verifier: { address: 'verifier:7443' },
    tls,
    heartbeatMs: 60_000,
    logLevel: 'info',
  });
});

test('settings that were parsed once parse to the same again', () => {
  const full = {
    ...smallest,
    runtime: { containerd: '/run/containerd/containerd.sock', namespaces: ['k8s.io'] },
    hostRoot: '/host',
    listen: '[::1]:0',
    heartbeatMs: 5_000,
    image: `sha256:${'ab'.repeat(32)}`,
    logLevel: 'debug',
  };
  const config = parseAgentConfig(full);
  assert.deepEqual(parseAgentConfig(config), config);
});

test('a store of podman or CRI-O takes the place of a socket, its usual directories need no mention', () => {
  const parse = (runtime: object) => parseAgentConfig({ ...smallest, runtime }).runtime;
  const usual = { root: '/var/lib/containers/storage', runRoot: '/run/containers/storage' };
  assert.deepEqual(parse({ containersStorage: {} }), { containersStorage: usual });
  const both = { containerd: '/c.sock', containersStorage: { root: '/a', runRoot: '/b' } };
  assert.deepEqual(parse(both), both);
});

test('a TPM without a resource manager belongs to the agent alone unless the settings say otherwise', () => {
  const exclusive = (tpm: object) => {
    const config = parseAgentConfig({ ...smallest, tpm }).tpm;
    return config !== 'none' && config.exclusive;
  };
  assert.equal(exclusive({ tcti: 'swtpm:path=/run/tpm.sock' }), true);
  assert.equal(exclusive({ tcti: 'mssim:host=127.0.0.1,port=2321' }), true);
  assert.equal(exclusive({ tcti: 'device:/dev/tpm0' }), true);
  assert.equal(exclusive({ tcti: 'device:/dev/tpmrm0' }), false);
  assert.equal(exclusive({ tcti: 'tabrmd:bus_name=com.intel.tss2.Tabrmd' }), false);
  assert.equal(exclusive({ tcti: 'swtpm:path=/run/tpm.sock', exclusive: false }), false);
});

const refusals: [string, unknown, RegExp][] = [
  ['no object', 'settings', /must be an object/],
  ['null', null, /must be an object/],
  ['an unknown field', { ...smallest, heartbeat: 1 }, /unknown field "heartbeat"/],
  ['an unknown field deeper down', { ...smallest, tls: { ...tls, pem: '/x' } }, /unknown field "pem"/],
  ['no name', { ...smallest, kubeNode: undefined }, /kubeNode/],
  ['a name with a space', { ...smallest, kubeNode: 'a b' }, /kubeNode/],
  ['no TPM named', { ...smallest, tpm: undefined }, /tpm/],
  ['a TPM that is text', { ...smallest, tpm: 'device:/dev/tpmrm0' }, /tpm/],
  ['an unknown TCTI', { ...smallest, tpm: { tcti: 'libtpms:' } }, /tpm\.tcti/],
  ['an unknown template', { ...smallest, tpm: { tcti: 'swtpm:', ekTemplate: 'L-9' } }, /tpm\.ekTemplate/],
  ['no runtime', { ...smallest, runtime: undefined }, /runtime/],
  ['a relative socket', { ...smallest, runtime: { containerd: 'x.sock' } }, /runtime\.containerd/],
  ['no runtime at all', { ...smallest, runtime: {} }, /runtime needs/],
  ['a relative store', { ...smallest, runtime: { containersStorage: { root: 'x' } } }, /containersStorage\.root/],
  ['namespaces that are no list', { ...smallest, runtime: { containerd: '/x', namespaces: 'k8s.io' } }, /namespaces/],
  ['a relative state directory', { ...smallest, stateDir: 'state' }, /stateDir.*absolute/],
  ['a path with a NUL', { ...smallest, stateDir: '/a\0b' }, /stateDir/],
  ['no TLS files', { ...smallest, tls: undefined }, /tls/],
  ['an address without a port', { ...smallest, verifier: { address: 'verifier' } }, /verifier\.address/],
  ['port 0 to dial', { ...smallest, verifier: { address: 'verifier:0' } }, /verifier\.address/],
  ['a port out of range', { ...smallest, listen: '0.0.0.0:65536' }, /listen/],
  ['neither verifier nor port', { ...smallest, verifier: undefined }, /"verifier".*"listen"/],
  ['a heartbeat as text', { ...smallest, heartbeatMs: '60000' }, /heartbeatMs/],
  ['a heartbeat too short', { ...smallest, heartbeatMs: 99 }, /heartbeatMs/],
  ['an image that is no digest', { ...smallest, image: 'agent:latest' }, /image/],
  ['an unknown level', { ...smallest, logLevel: 'loud' }, /logLevel/],
];

for (const [name, settings, sentence] of refusals) {
  test(`settings with ${name} are refused by name`, () => {
    assert.throws(
      () => parseAgentConfig(settings),
      (error) => error instanceof AgentError && error.code === 'ERR_AGENT_CONFIG' && sentence.test(error.message),
    );
  });
}
