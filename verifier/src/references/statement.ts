import { BOOT_PREDICATE_TYPE, parseStrictJson } from '@holdfast/evidence';
import { FieldReader } from '../trust/field-reader.ts';
import { AGENT_PREDICATE_TYPE } from './agent-files.ts';
import type { ReferenceSubject } from './reference.ts';
import { malformedReference, ReferenceRefused, refuseMalformed } from './reference-refused.ts';

/** `_type` of the statements that Holdfast makes. */
export const STATEMENT_TYPE_V1 = 'https://in-toto.io/Statement/v1';
const STATEMENT_TYPE_V0_1 = 'https://in-toto.io/Statement/v0.1';

const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const MAX_SUBJECTS = 64;
/** Names of the in-toto digest set that have hex values, with the length of the value. */
const DIGEST_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
  ['sha1', 40],
]);
const HEX = /^[0-9a-f]+$/;

/** A statement in its read form; as trustworthy as the signature over the bytes it was read from. */
export interface Statement {
  readonly version: 'v1' | 'v0.1';
  readonly subjects: readonly ReferenceSubject[];
  readonly predicateType: string;
  readonly predicate: unknown;
}

/**
 * Reads an in-toto Statement: strict JSON, exact `_type`, one to 64 subjects that each have a digest, predicate type.
 *
 * To be called with bytes whose signature was verified. Statement/v0.1 is read for older tools and marked by `version`.
 * Throws `ReferenceRefused`.
 */
export function parseStatement(payload: Uint8Array): Statement {
  const limits = { maxBytes: MAX_PAYLOAD_BYTES, maxDepth: 64, maxKeys: 2_000_000 };
  const root = new FieldReader(
    refuseMalformed(() => parseStrictJson(payload, limits)),
    'statement',
    malformedReference,
  );
  const type = root.oneOf('_type', [STATEMENT_TYPE_V1, STATEMENT_TYPE_V0_1]);
  const subjects = root.objects('subject', MAX_SUBJECTS).map(readSubject);
  if (subjects.length === 0) throw malformedReference('the statement has no subject');
  return {
    version: type === STATEMENT_TYPE_V1 ? 'v1' : 'v0.1',
    subjects,
    predicateType: root.string('predicateType', { maxLength: 512 }),
    predicate: root.raw('predicate'),
  };
}

function readSubject(entry: FieldReader): ReferenceSubject {
  const name = entry.optionalString('name', { maxLength: 1024 }) ?? '';
  const digest: Record<string, string> = {};
  for (const [algorithm, value] of entry.object('digest').entries(16, { maxLength: 512 })) {
    const length = DIGEST_LENGTHS.get(algorithm);
    // Other algorithms are kept out: nothing here could compare them.
    if (length === undefined) continue;
    if (value.length !== length || !HEX.test(value))
      throw malformedReference(`${entry.path}.digest.${algorithm} is no hex digest`);
    digest[algorithm] = value;
  }
  if (Object.keys(digest).length === 0) throw malformedReference(`${entry.path} has no digest`);
  return { name, digest };
}

/** The predicate types that are understood, with what they are. */
export type PredicateKind = 'cyclonedx' | 'spdx' | 'provenance-v1' | 'provenance-v0.2' | 'boot' | 'agent';

const PREDICATE_KINDS: ReadonlyMap<string, PredicateKind> = new Map([
  ['https://cyclonedx.org/bom', 'cyclonedx'],
  ['https://cyclonedx.org/bom/v1.4', 'cyclonedx'],
  ['https://cyclonedx.org/bom/v1.5', 'cyclonedx'],
  ['https://cyclonedx.org/bom/v1.6', 'cyclonedx'],
  ['https://cyclonedx.org/bom/v1.7', 'cyclonedx'],
  ['https://spdx.dev/Document', 'spdx'],
  ['https://spdx.dev/Document/v2.3', 'spdx'],
  ['https://slsa.dev/provenance/v1', 'provenance-v1'],
  ['https://slsa.dev/provenance/v0.2', 'provenance-v0.2'],
  [BOOT_PREDICATE_TYPE, 'boot'],
  [AGENT_PREDICATE_TYPE, 'agent'],
]);

/** The predicate types of SBOMs. */
export const SBOM_PREDICATE_TYPES: readonly string[] = [...PREDICATE_KINDS]
  .filter(([, kind]) => kind === 'cyclonedx' || kind === 'spdx')
  .map(([type]) => type);

/** What a predicate type says its predicate is. Throws `ReferenceRefused` PREDICATE_TYPE for all others. */
export function classifyPredicate(predicateType: string): PredicateKind {
  const kind = PREDICATE_KINDS.get(predicateType);
  if (kind === undefined)
    throw new ReferenceRefused(
      'PREDICATE_TYPE',
      'The statement is no SBOM, SLSA provenance, boot reference or list of agent files.',
    );
  return kind;
}
