import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FINDING_RULES, type FindingCode } from '../appraisal/finding-code.ts';
import { VerifierError } from '../verifier-error.ts';
import { type ChainHead, createChainStore } from './chain-store.ts';
import { createContentStore } from './content-store.ts';
import { createEnrolmentStore, type EnrolledNode } from './enrolment-store.ts';
import { openDatabase, runLightTransaction, runTransaction } from './open-database.ts';
import { createReferenceStore } from './reference-store.ts';
import { createResultStore } from './result-store.ts';

const node: EnrolledNode = {
  ueid: 'AQ',
  label: 'worker-1',
  ekName: '000b01',
  ekPublic: Buffer.from('ek'),
  ekCertificates: [Buffer.from('one'), Buffer.from('two')],
  akPublic: Buffer.from('ak'),
  signingPublic: Buffer.from('key'),
  kid: 'kid-1',
  predecessors: ['000b02', '000b03'],
  issuedAtMs: 10,
  expiresAtMs: 20,
};
const head: ChainHead = {
  chain: 'c',
  seq: 3,
  evidenceId: 'e3',
  akName: '000b',
  resetCount: 1,
  restartCount: 0,
  clockMs: 7,
};

function openStores() {
  const database = openDatabase(':memory:');
  const isCode = (text: string): text is FindingCode => Object.hasOwn(FINDING_RULES, text);
  const stores = {
    database,
    nodes: createEnrolmentStore(database),
    chain: createChainStore(database, isCode),
    contents: createContentStore(database),
    results: createResultStore(database),
    references: createReferenceStore(database),
  };
  stores.nodes.saveNode(node);
  return stores;
}

test('an enrolled kube node is found by ueid, label and EK', () => {
  const { nodes } = openStores();
  assert.deepEqual(nodes.findNode('AQ'), node);
  assert.deepEqual(nodes.findLabel('worker-1'), { ueid: 'AQ' });
  assert.deepEqual(nodes.findEk('000b01'), { ueid: 'AQ', label: 'worker-1' });
  assert.equal(nodes.findNode('AR'), undefined);
});

test('new keys replace the old ones of a kube node', () => {
  const { nodes } = openStores();
  nodes.saveNode({ ...node, kid: 'kid-2', akPublic: Buffer.from('ak2') });
  assert.equal(nodes.findNode('AQ')?.kid, 'kid-2');
});

test('a label belongs to one kube node and a failed enrolment leaves nothing', () => {
  const { nodes } = openStores();
  assert.throws(() => nodes.saveNode({ ...node, ueid: 'AR', ekName: '000b02', kid: 'kid-3' }), {
    code: 'ERR_VERIFIER_STORE',
  });
  assert.equal(nodes.findEk('000b02'), undefined);
});

test('the head moves only from where it stands', () => {
  const { chain } = openStores();
  assert.equal(chain.moveHead('AQ', undefined, head, 1), true);
  const next = { ...head, seq: 4, evidenceId: 'e4' };
  assert.equal(chain.moveHead('AQ', { ...head, evidenceId: 'other' }, next, 2), false);
  assert.equal(chain.hasEvidence('AQ', 'e4'), false);
  assert.equal(chain.moveHead('AQ', undefined, next, 2), false);
  assert.equal(chain.moveHead('AQ', head, next, 2), true);
  assert.deepEqual(chain.findHead('AQ'), next);
  assert.equal(chain.hasEvidence('AQ', 'e3'), true);
  assert.equal(chain.hasChain('AQ', 'c'), true);
  assert.equal(chain.hasChain('AQ', 'd'), false);
  chain.forgetEvidence('AQ', 2);
  assert.equal(chain.hasEvidence('AQ', 'e3'), false);
  assert.equal(chain.hasEvidence('AQ', 'e4'), true);
});

test('an incident is counted and stays', () => {
  const { chain } = openStores();
  chain.addIncident('AQ', 'CHAIN_GAP', 5);
  chain.addIncident('AQ', 'CHAIN_GAP', 9);
  assert.deepEqual(chain.listIncidents('AQ'), [{ code: 'CHAIN_GAP', firstAtMs: 5, lastAtMs: 9, count: 2 }]);
  assert.deepEqual(chain.listIncidents('AR'), []);
});

test('content is scoped by kube node and dropped when nothing names it', () => {
  const { contents } = openStores();
  contents.addContent('AQ', 'aa', Buffer.from('1'));
  contents.addContent('AQ', 'bb', Buffer.from('2'));
  assert.equal(contents.readContent('AR', 'aa'), undefined);
  assert.deepEqual(contents.listDigests('AR'), []);
  contents.dropContent('AQ', 'aa');
  assert.deepEqual(contents.listDigests('AQ'), ['bb']);
  assert.equal(contents.readContent('AQ', 'aa'), undefined);
  assert.deepEqual(contents.readContent('AQ', 'bb'), Buffer.from('2'));
});

test('the latest result of a kube node is the current one, and saving it twice is saving it once', () => {
  const { results, database } = openStores();
  const save = (evidenceId: string, body: string, manifest: string) =>
    results.saveResult({
      ueid: 'AQ',
      evidenceId,
      basis: 'b',
      appraisedAtMs: 1,
      body: Buffer.from(body),
      containers: [{ id: 'c1', manifest }],
    });
  assert.deepEqual(results.listCurrent('', 10), []);
  assert.equal(results.listNodes('', 10)[0]?.body, null);
  save('e1', 'first', 'sha256:1');
  save('e2', 'second', 'sha256:2');
  save('e2', 'second', 'sha256:2');
  assert.equal(results.findByLabel('worker-1')?.body.toString(), 'second');
  assert.equal([...results.findByContainer('c1', 5)].length, 1);
  assert.deepEqual([...results.findByManifest('sha256:1', 5)], []);
  assert.deepEqual(
    ['c1', 'sha256:1', 'sha256:2'].map((name) => results.countByName(name)),
    [1, 0, 1],
  );
  assert.deepEqual(results.listNodesWithManifest('sha256:2'), ['AQ']);
  assert.equal(results.findByEvidence('e1')?.body.toString(), 'first');
  assert.equal(database.prepare('SELECT count(*) AS n FROM results').get()?.['n'], 2);
  assert.deepEqual(results.listCurrent('worker-1', 10), []);
});

test('no query of the round or of a current result scans a table', () => {
  const { database } = openStores();
  const queries = [
    'SELECT * FROM heads WHERE ueid = ?',
    'SELECT 1 FROM evidence WHERE ueid = ? AND evidence_id = ?',
    'SELECT r.* FROM kube_nodes n JOIN results r ON r.id = n.result_id WHERE n.label = ?',
    'SELECT DISTINCT ueid FROM current_containers WHERE manifest = ?',
    'SELECT 1 FROM results WHERE evidence_id = ?',
    'SELECT r.* FROM ref_subjects s JOIN refs r ON r.digest = s.digest WHERE s.subject_digest = ?',
  ];
  for (const query of queries) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    assert.doesNotMatch(plan.map((row) => String(row['detail'])).join('\n'), /SCAN/, query);
  }
});

test('a reference is found by its subjects and stays revoked', () => {
  const { references } = openStores();
  const reference = {
    digest: 'sha256:r',
    envelope: Buffer.from('{}'),
    predicateType: 'p',
    subjectName: 'n',
    keyId: 'k',
    subjectDigest: 'sha256:s',
    addedAtMs: 1,
    revokedAtMs: null,
    revocationReason: null,
  };
  assert.equal(references.addReference(reference, ['sha256:s', 'sha256:t']), true);
  assert.equal(references.addReference(reference, ['sha256:s']), false);
  assert.deepEqual(references.findBySubject('sha256:t', 10), [reference]);
  assert.deepEqual(references.listSubjects('sha256:r'), ['sha256:s', 'sha256:t']);
  const { predicateType } = reference;
  assert.deepEqual(references.findStanding('sha256:t', ['x', predicateType], 10), [reference]);
  assert.deepEqual(references.findStanding('sha256:t', ['x'], 10), []);
  assert.deepEqual(references.findByPredicateType(predicateType, 10), [reference]);
  assert.equal(references.revokeReference('sha256:r', 'leaked', 7), true);
  assert.equal(references.revokeReference('sha256:r', 'again', 9), true);
  assert.equal(references.findReference('sha256:r')?.revokedAtMs, 7);
  assert.equal(references.findReference('sha256:r')?.revocationReason, 'leaked');
  assert.equal(references.revokeReference('sha256:none', '', 9), false);
  assert.deepEqual(references.findStanding('sha256:t', [predicateType], 10), []);
  assert.deepEqual(references.findByPredicateType(predicateType, 10), []);
  assert.equal(references.findBySubject('sha256:t', 10).length, 1);
  assert.equal(references.listReferences('', 10).length, 1);
});

test('a transaction that throws leaves nothing behind', () => {
  const { database, contents } = openStores();
  assert.throws(() =>
    runTransaction(database, () => {
      contents.addContent('AQ', 'cc', Buffer.from('3'));
      throw new Error('stop');
    }),
  );
  assert.equal(contents.readContent('AQ', 'cc'), undefined);
});

test('a failure of SQLite is one of the store, and the next transaction runs', () => {
  const { database } = openStores();
  const fail = () => runTransaction(database, () => database.exec('INSERT INTO absent VALUES (1)'));
  assert.throws(fail, { code: 'ERR_VERIFIER_STORE', message: /no such table/ });
  assert.equal(
    runTransaction(database, () => 7),
    7,
  );
});

test('a store in a place that cannot be written is refused with a sentence', () => {
  assert.throws(
    () => openDatabase('/dev/null/state'),
    (error) => error instanceof VerifierError && error.code === 'ERR_VERIFIER_STORE',
  );
});

test('what is committed waits for the disk, but for light transactions, whatever their end', () => {
  const { database } = openStores();
  const readLevel = () => database.prepare('PRAGMA synchronous').get()?.['synchronous'];
  const [normal, full] = [1, 2];
  assert.equal(readLevel(), full);
  assert.equal(runTransaction(database, readLevel), full);
  assert.equal(runLightTransaction(database, readLevel), normal);
  assert.equal(readLevel(), full);
  const fail = () => {
    throw new TypeError('no');
  };
  assert.throws(() => runLightTransaction(database, fail), TypeError);
  assert.equal(readLevel(), full);
});
