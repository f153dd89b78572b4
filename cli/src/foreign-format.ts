import type { JsonValue } from '@holdfast/evidence';

type JsonObject = { [name: string]: JsonValue };

const WANTED = 'only JSON is read: write it as CycloneDX JSON (cyclonedx-json) or SPDX 2.3 JSON (spdx-json)';

const MAGIC: readonly [readonly number[], string][] = [
  [[0xff, 0xfe], 'is UTF-16; write it as UTF-8'],
  [[0xfe, 0xff], 'is UTF-16; write it as UTF-8'],
  [[0x1f, 0x8b], 'is compressed; unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'is compressed; unpack it first'],
];
const TEXTS: readonly [RegExp, string][] = [
  [/^\s*</, `is XML; ${WANTED}`],
  [/^\s*(?:SPDXVersion|spdxVersion|SPDXID):/, `is SPDX as tag-value or YAML; ${WANTED}`],
];

/** What members make another JSON format. */
const DOCUMENTS: readonly [readonly string[], string][] = [
  [['artifacts', 'schema'], "is syft's own JSON; use -o cyclonedx-json"],
  [['SchemaVersion'], "is trivy's own report; use --format cyclonedx"],
  [['@graph'], 'is SPDX 3; only SPDX 2.3 and CycloneDX are read'],
  [['@context'], 'is SPDX 3; only SPDX 2.3 and CycloneDX are read'],
  [['sbom'], 'has the SBOM in its member sbom; take it out first (jq .sbom)'],
  [['predicateType'], 'is an in-toto statement about something that is no SBOM'],
  [['payloadType'], 'is a DSSE envelope around something that is no SBOM'],
  [['messageSignature'], 'is a signature without the SBOM that it covers'],
  [['packages', 'unowned'], 'is an inventory and no SBOM; holdfast inventory --format cyclonedx makes one'],
];

/** Names the format of a file that is not JSON, and the way out; undefined where its first bytes say nothing. */
export function nameForeignText(bytes: Uint8Array): string | undefined {
  const magic = MAGIC.find(([first]) => first.every((byte, at) => bytes[at] === byte));
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  return (magic ?? TEXTS.find(([pattern]) => pattern.test(head)))?.[1];
}

/** Names what JSON of another format is, and the way out; undefined where its members say nothing. */
export function nameForeignDocument(value: JsonValue): string | undefined {
  if (!isJsonObject(value)) return undefined;
  return DOCUMENTS.find(([names]) => names.every((name) => Object.hasOwn(value, name)))?.[1];
}

/** Whether a JSON value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
