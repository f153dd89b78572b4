import { FieldReader } from '../trust/field-reader.ts';
import { malformedReference } from './reference-refused.ts';

/** `predicateType` of the statement that lists the files of one build of Holdfast. */
export const AGENT_PREDICATE_TYPE = 'urn:holdfast:predicate:agent-files:v1';

/** The files of one build, as its builder signed them. */
export interface AgentBuild {
  /** Version of the agent that the build holds. */
  readonly version: string;
  /** Hex SHA-256 by path below the directory of the build, without a slash at the front; spaces are underscores, as to IMA. */
  readonly files: ReadonlyMap<string, string>;
}

const MAX_FILES = 50_000;
const MAX_PATH_CHARS = 4_096;
const DIGEST = /^[0-9a-f]{64}$/;

/** Reads the predicate of a verified statement. Throws `ReferenceRefused` MALFORMED. */
export function readAgentBuild(predicate: unknown): AgentBuild {
  const root = new FieldReader(predicate, 'predicate', malformedReference);
  const version = root.string('version', { maxLength: 64 });
  const files = new Map(root.object('files').entries(MAX_FILES, { maxLength: 64 }));
  if (files.size === 0) throw malformedReference('predicate.files is empty');
  for (const [path, sha256] of files) {
    const isNormal = path.length <= MAX_PATH_CHARS && path.split('/').every((part) => !['', '.', '..'].includes(part));
    if (!isNormal) throw malformedReference('predicate.files has a path that is not relative and normal');
    if (!DIGEST.test(sha256)) throw malformedReference('predicate.files has a digest that is no hex SHA-256');
  }
  return { version, files: new Map([...files].map(([path, sha256]) => [path.replaceAll(' ', '_'), sha256])) };
}
