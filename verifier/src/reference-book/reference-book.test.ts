import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IMAGE, makeEnvelope, SBOM, STATEMENT, toBytes } from '../references/reference.fixture.ts';
import { openDatabase } from '../store/open-database.ts';
import { createReferenceStore } from '../store/reference-store.ts';
import { describeKey, makeP256, makeTrust, NOW } from '../trust/trust.fixture.ts';
import { createReferenceBook } from './reference-book.ts';

const MANIFEST = `sha256:${IMAGE}`;
const [sbomKey, provenanceKey] = [makeP256(), makeP256()];
const trust = makeTrust([
  describeKey(sbomKey.publicKey, { scope: ['registry.example/org/app'] }),
  describeKey(provenanceKey.publicKey, { id: 'origin', role: 'provenance', scope: ['registry.example/org/app'] }),
]);

function openBook() {
  let clock = NOW;
  const book = createReferenceBook({
    store: createReferenceStore(openDatabase(':memory:')),
    trust: () => trust,
    now: () => clock++,
    onChange: () => {},
    onNodeChange: () => {},
  });
  const putSbom = (serialNumber: number) => {
    const statement = { ...STATEMENT, predicate: { ...SBOM, serialNumber } };
    return book.put(toBytes(makeEnvelope(statement, { key: sbomKey.privateKey }))).reference.digest;
  };
  const putProvenance = (run: number) => {
    const predicate = {
      buildDefinition: { buildType: 'https://example/build', externalParameters: { run } },
      runDetails: { builder: { id: 'https://example/builder' } },
    };
    const statement = { ...STATEMENT, predicateType: 'https://slsa.dev/provenance/v1', predicate };
    const options = { key: provenanceKey.privateKey, keyid: 'origin' };
    return book.put(toBytes(makeEnvelope(statement, options))).reference.digest;
  };
  const found = () => book.findSboms(MANIFEST).map(({ digest }) => digest);
  return { book, putSbom, putProvenance, found };
}

test('an SBOM is found behind any number of newer statements of another kind', () => {
  const { putSbom, putProvenance, found } = openBook();
  const sbom = putSbom(1);
  for (let run = 0; run < 40; run++) putProvenance(run);
  assert.deepEqual(found(), [sbom]);
});

test('an SBOM is found behind any number of newer ones that were revoked', () => {
  const { book, putSbom, found } = openBook();
  const sbom = putSbom(0);
  for (let serial = 1; serial <= 20; serial++) book.revoke(putSbom(serial), 'built by mistake');
  assert.deepEqual(found(), [sbom]);
  book.revoke(sbom, 'withdrawn');
  assert.deepEqual(found(), []);
});

test('of many SBOMs the newest are looked at', () => {
  const { putSbom, found } = openBook();
  const all = Array.from({ length: 20 }, (_, serial) => putSbom(serial));
  assert.deepEqual(found(), all.toReversed().slice(0, 16));
});
