import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '@holdfast/evidence';
import { nameForeignDocument, nameForeignText } from './foreign-format.ts';

test('what is no JSON is named by its first bytes', () => {
  for (const [bytes, name] of [
    ['<?xml version="1.0"?>\n<bom/>', /^is XML; .*cyclonedx-json/],
    ['\n  <bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>', /^is XML/],
    ['SPDXVersion: SPDX-2.3\n', /^is SPDX as tag-value.*spdx-json/],
    ['spdxVersion: "SPDX-2.3"\n', /^is SPDX as tag-value or YAML/],
    [Buffer.from('\ufeff{}', 'utf16le'), /^is UTF-16/],
    [Buffer.from([0x1f, 0x8b, 8]), /^is compressed/],
  ] as const) {
    assert.match(nameForeignText(Buffer.from(bytes)) ?? '', name);
  }
  for (const bytes of ['{"bomFormat":"CycloneDX"}', '', '[', 'garbage', '"<"']) {
    assert.equal(nameForeignText(Buffer.from(bytes)), undefined);
  }
});

test('other JSON is named by its members', () => {
  const documents: [JsonValue, RegExp][] = [
    [{ artifacts: [], schema: { version: '16' } }, /syft's own JSON; use -o cyclonedx-json/],
    [{ SchemaVersion: 2, Results: [] }, /trivy's own report; use --format cyclonedx/],
    [{ '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld', '@graph': [] }, /SPDX 3/],
    [{ sbom: { spdxVersion: 'SPDX-2.3' } }, /jq \.sbom/],
    [{ _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://slsa.dev/provenance/v1' }, /in-toto/],
    [{ payloadType: 'text/plain', payload: '' }, /DSSE/],
    [{ packages: [], unowned: {} }, /holdfast inventory --format cyclonedx/],
  ];
  for (const [document, name] of documents) assert.match(nameForeignDocument(document) ?? '', name);
  for (const document of [{}, [], null, 'SchemaVersion', { artifacts: [] }]) {
    assert.equal(nameForeignDocument(document), undefined);
  }
});
