/**
 * The Verifier: enrolment, the conversation with agents, appraisal, results. Loads no native code.
 *
 * @packageDocumentation
 */
export type { Finding } from './appraisal/finding.ts';
export {
  type AppraisalStatus,
  FINDING_RULES,
  type FindingCode,
  type FindingSeverity,
} from './appraisal/finding-code.ts';
export { parseVerifierConfig, type VerifierConfig } from './config/verifier-config.ts';
export type { RunningVerifier } from './running-verifier.ts';
export { VerifierError, type VerifierErrorCode } from './verifier-error.ts';
