import { FieldReader } from '../trust/field-reader.ts';
import type { ProvenanceFacts } from './reference.ts';
import { malformedReference } from './reference-refused.ts';

const MAX_DEPENDENCIES = 10_000;

/**
 * Reads the predicate of a SLSA provenance v1: build type, builder, parameters, dependencies.
 *
 * See https://slsa.dev/spec/v1.0/provenance. What the values should be is the policy's business, unknown external
 * parameters included. Throws `ReferenceRefused` MALFORMED.
 */
export function readProvenanceV1(predicate: unknown): ProvenanceFacts {
  const root = new FieldReader(predicate, 'predicate', malformedReference);
  const definition = root.object('buildDefinition');
  const run = root.object('runDetails');
  const metadata = run.optionalObject('metadata');
  return {
    version: 'v1',
    builderId: run.object('builder').string('id'),
    buildType: definition.string('buildType'),
    ...readMetadata(metadata, ['invocationId', 'startedOn', 'finishedOn']),
    externalParameters: readParameters(definition.object('externalParameters')),
    resolvedDependencies: definition.optionalObjects('resolvedDependencies', MAX_DEPENDENCIES).map(readDependency),
  };
}

/** As `readProvenanceV1`, for SLSA provenance v0.2 of older tools. */
export function readProvenanceV02(predicate: unknown): ProvenanceFacts {
  const root = new FieldReader(predicate, 'predicate', malformedReference);
  const metadata = root.optionalObject('metadata');
  const parameters = root.optionalObject('invocation')?.optionalObject('parameters');
  return {
    version: 'v0.2',
    builderId: root.object('builder').string('id'),
    buildType: root.string('buildType'),
    ...readMetadata(metadata, ['buildInvocationId', 'buildStartedOn', 'buildFinishedOn']),
    externalParameters: parameters === undefined ? {} : readParameters(parameters),
    resolvedDependencies: root.optionalObjects('materials', MAX_DEPENDENCIES).map(readDependency),
  };
}

function readMetadata(
  metadata: FieldReader | undefined,
  names: readonly [string, string, string],
): Pick<ProvenanceFacts, 'invocationId' | 'startedOn' | 'finishedOn'> {
  const [invocationId, startedOn, finishedOn] = names.map((name) => metadata?.optionalString(name));
  return {
    ...(invocationId === undefined ? {} : { invocationId }),
    ...(startedOn === undefined ? {} : { startedOn }),
    ...(finishedOn === undefined ? {} : { finishedOn }),
  };
}

function readParameters(parameters: FieldReader): Record<string, unknown> {
  return Object.fromEntries(parameters.names().map((name) => [name, parameters.raw(name)]));
}

function readDependency(entry: FieldReader): ProvenanceFacts['resolvedDependencies'][number] {
  const uri = entry.optionalString('uri');
  const digest = Object.fromEntries(entry.optionalObject('digest')?.entries(16, { maxLength: 512 }) ?? []);
  return { ...(uri === undefined ? {} : { uri }), digest };
}
