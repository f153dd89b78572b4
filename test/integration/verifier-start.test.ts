import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createDevCa, type DevCa, type IssuedFiles, type TlsRole } from '@holdfast/scripts';
import { loadVerifierKeys, parseVerifierConfig, startVerifier, VerifierError } from '@holdfast/verifier';

let directory: string;
let ca: DevCa;
let tls: IssuedFiles;
let trustFile: string;
let made = 0;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hf-start-'));
  ca = await createDevCa();
  tls = await issue('verifier', ['verifier']);
  trustFile = join(directory, 'trust.json');
  await writeFile(trustFile, JSON.stringify(createTrust(3)));
});
after(async () => await rm(directory, { recursive: true, force: true }));

async function issue(name: string, roles: TlsRole[]): Promise<IssuedFiles> {
  return await ca.issueFiles(join(directory, `tls-${name}`), name, { commonName: name, roles, hosts: ['127.0.0.1'] });
}

function createTrust(version: number, changes: Record<string, unknown> = {}) {
  return {
    format: 'holdfast-trust-v1',
    version,
    expires: new Date(Date.now() + 86_400_000).toISOString(),
    environment: 'development',
    keys: [],
    eks: [],
    ekRoots: [],
    ...changes,
  };
}

function configure(settings: Record<string, unknown> = {}) {
  made += 1;
  const stateDir = join(directory, `state-${made}`);
  return parseVerifierConfig({ listen: '127.0.0.1:0', stateDir, tls, trustFile, logLevel: 'silent', ...settings });
}

async function assertFails(code: string, message: RegExp, settings: Record<string, unknown>): Promise<void> {
  await assert.rejects(startVerifier(configure(settings)), (error: unknown) => {
    assert.ok(error instanceof VerifierError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test('a verifier starts, makes its keys private, and closes twice', async () => {
  const config = configure();
  const verifier = await startVerifier(config);
  assert.match(verifier.listenAddress, /^127\.0\.0\.1:[1-9]\d*$/);
  await verifier.close();
  await verifier.close();
  assert.equal((await stat(config.stateDir)).mode & 0o777, 0o700);
  for (const name of ['enrolment.key', 'result.key', 'nonce.key']) {
    assert.equal((await stat(join(config.stateDir, name))).mode & 0o777, 0o600, name);
  }
});

test('keys are made once and stay', async () => {
  const { stateDir } = configure();
  const first = await loadVerifierKeys(stateDir, 'v');
  const second = await loadVerifierKeys(stateDir, 'v');
  assert.deepEqual(second.published, first.published);
  assert.deepEqual(second.issuer.certificate, first.issuer.certificate);
});

test('a busy port is told', async () => {
  const verifier = await startVerifier(configure());
  try {
    await assertFails('ERR_VERIFIER_LISTEN', /another program uses it/, { listen: verifier.listenAddress });
  } finally {
    await verifier.close();
  }
});

test('TLS files that are missing, no PEM, of another key or without the role are told by their path', async () => {
  const missing = join(directory, 'missing.pem');
  const text = join(directory, 'text.pem');
  await writeFile(text, 'text');
  const other = await issue('other', ['verifier']);
  const agent = await issue('agent', ['agent']);
  for (const name of ['ca', 'cert', 'key']) {
    await assertFails('ERR_VERIFIER_TLS', /missing\.pem/, { tls: { ...tls, [name]: missing } });
    await assertFails('ERR_VERIFIER_TLS', /text\.pem is not a/, { tls: { ...tls, [name]: text } });
  }
  await assertFails('ERR_VERIFIER_TLS', /is not the key of/, { tls: { ...tls, key: other.key } });
  await assertFails('ERR_VERIFIER_TLS', /lacks the role verifier/, { tls: agent });
});

test('a trust file that is missing, empty, no JSON or of another form is told', async () => {
  const path = join(directory, 'bad.json');
  await assertFails('ERR_VERIFIER_TRUST', /cannot read the trust file/, { trustFile: join(directory, 'none.json') });
  for (const text of ['', '{', '{}', '[]', JSON.stringify(createTrust(1, { extra: 1 }))]) {
    await writeFile(path, text);
    await assertFails('ERR_VERIFIER_TRUST', /./, { trustFile: path });
  }
});

test('an older trust file is refused after a restart', async () => {
  const path = join(directory, 'rolled.json');
  await writeFile(path, JSON.stringify(createTrust(5)));
  const config = configure({ trustFile: path });
  await (await startVerifier(config)).close();
  await writeFile(path, JSON.stringify(createTrust(4)));
  await assert.rejects(startVerifier(config), { code: 'ERR_VERIFIER_TRUST' });
  await writeFile(path, JSON.stringify(createTrust(5, { environment: 'staging' })));
  await assert.rejects(startVerifier(config), { code: 'ERR_VERIFIER_TRUST' });
  await writeFile(path, JSON.stringify(createTrust(6)));
  await (await startVerifier(config)).close();
});

test('a directory of references that is missing is made, and one that cannot be made is told', async () => {
  const missing = join(directory, 'deep', 'references');
  await (await startVerifier(configure({ referencesDir: missing }))).close();
  const { mode } = await stat(missing);
  assert.equal(mode & 0o777, 0o755 & ~process.umask());
  const file = join(directory, 'no-directory');
  await writeFile(file, '');
  for (const referencesDir of [file, join(file, 'below')]) {
    await assertFails('ERR_VERIFIER_REFERENCE', /cannot make the directory of references/, { referencesDir });
  }
});

test('a state directory that is a file, and keys that others may read, are told', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  await assertFails('ERR_VERIFIER_KEY', /state directory/, { stateDir: file });
  const { stateDir } = configure();
  await loadVerifierKeys(stateDir, 'v');
  await chmod(join(stateDir, 'result.key'), 0o644);
  await assertFails('ERR_VERIFIER_KEY', /others may read .*result\.key/, { stateDir });
  await chmod(join(stateDir, 'result.key'), 0o600);
  await writeFile(join(stateDir, 'nonce.key'), 'short');
  await assertFails('ERR_VERIFIER_KEY', /nonce\.key does not hold 32 bytes/, { stateDir });
});

test('a store in use, of a newer verifier, or that is no store, is told', async () => {
  const config = configure();
  const running = await startVerifier(config);
  await assert.rejects(startVerifier(config), { code: 'ERR_VERIFIER_STORE', message: /another verifier uses it/ });
  await running.close();
  const database = new DatabaseSync(join(config.stateDir, 'verifier.sqlite'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  await assert.rejects(startVerifier(config), { code: 'ERR_VERIFIER_STORE', message: /schema 99/ });
  const { stateDir } = configure();
  await mkdir(stateDir);
  await writeFile(join(stateDir, 'verifier.sqlite'), 'text that is no database'.repeat(100));
  await assertFails('ERR_VERIFIER_STORE', /cannot open the store/, { stateDir });
});

test('a store of the first version is brought to the present one, with its kube nodes', async () => {
  const config = configure();
  await (await startVerifier(config)).close();
  const database = new DatabaseSync(join(config.stateDir, 'verifier.sqlite'));
  database.exec(`DROP TABLE operator_actions; DROP TABLE boot_sessions; DROP TABLE measured_sessions;
    DROP TABLE measured_files; DROP TABLE measured_agent_files;
    ALTER TABLE kube_nodes DROP COLUMN ek_certificates;
    ALTER TABLE enrolled_keys DROP COLUMN predecessors; ALTER TABLE heads DROP COLUMN clock_ms; PRAGMA user_version = 1;
    INSERT INTO kube_nodes (ueid, label, ek_name, ek_public, enrolled_at) VALUES ('u', 'n', 'e', x'00', 1)`);
  database.close();
  await (await startVerifier(config)).close();
  const migrated = new DatabaseSync(join(config.stateDir, 'verifier.sqlite'));
  const row = migrated.prepare('SELECT label, ek_certificates FROM kube_nodes').get();
  assert.deepEqual({ ...row }, { label: 'n', ek_certificates: '' });
  assert.deepEqual(migrated.prepare('SELECT * FROM operator_actions').all(), []);
  migrated.close();
});
