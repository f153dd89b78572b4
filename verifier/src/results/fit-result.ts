import { fromBinary } from '@bufbuild/protobuf';
import { type Result, ResultSchema } from '@holdfast/proto';
import { createFinding } from '../appraisal/finding.ts';
import { buildFinding } from './build-result.ts';

/**
 * A stored result, or what of it fits where the settings allow smaller messages than when it was made: its status without
 * the signed form, with findings that say what is not there. One result must not keep those of others from a reader.
 */
export function fitResult(body: Buffer, maxBytes: number): Result {
  const result = fromBinary(ResultSchema, body);
  if (body.length <= maxBytes) return result;
  const limits = [
    createFinding('FINDINGS_LIMITED', { actual: String(result.findings.length) }),
    createFinding('CONTAINERS_LIMITED', { actual: `${result.containers.length} of ${result.containers.length}` }),
  ];
  result.ear = '';
  result.findings = limits.map(buildFinding);
  result.containers = [];
  return result;
}
