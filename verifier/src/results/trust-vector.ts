import type { Appraisal, ContainerAppraisal } from '../appraisal/appraise.ts';
import { type Finding, statusOf } from '../appraisal/finding.ts';
import type { AppraisalStatus, FindingCode } from '../appraisal/finding-code.ts';
import type { TrustVector } from '../ear/ear.ts';

/** The value in the middle of each tier (draft-ietf-rats-ar4si, 2.3); a claim about which nothing is known is left out. */
const TIER_VALUES: Record<AppraisalStatus, number | undefined> = {
  none: undefined,
  affirming: 2,
  warning: 32,
  contraindicated: 96,
};

const IDENTITY_CODES: ReadonlySet<FindingCode> = new Set(['CHAIN_FORK', 'TPM_ROLLBACK', 'CLAIMS_IDENTITY']);
const EXECUTABLE_CODES: ReadonlySet<FindingCode> = new Set([
  ...([
    'EXECUTABLE_ADDED',
    'EXECUTABLE_MODIFIED',
    'OWNED_FILE_MODIFIED',
    'OWNED_FILE_REMOVED',
    'FOREIGN_CODE_MEASURED',
  ] as const),
  ...(['SETUID_ADDED', 'PRELOAD_CONFIGURED', 'AUTOSTART_CHANGED', 'MOUNT_OVER_IMAGE', 'DIRECTORY_REPLACED'] as const),
  ...(['RUNNING_MISSING', 'CODE_FROM_UPPER', 'CODE_FROM_VOLUME', 'CODE_FROM_MEMORY', 'FILELESS_EXECUTION'] as const),
  ...(['CODE_DELETED', 'CODE_OF_UNKNOWN_ORIGIN', 'TRANSIENT_EXECUTABLE', 'EXEC_PROCESS', 'EXEC_TERMINAL'] as const),
  ...(['ANONYMOUS_CODE', 'FOREIGN_ROOT', 'FOREIGN_MOUNT_NAMESPACE', 'PRELOAD_IN_ENVIRONMENT'] as const),
  ...(['PACKAGE_ADDED', 'PACKAGE_CHANGED', 'PACKAGE_REMOVED'] as const),
]);

/**
 * The trust vector of a kube node: that it is the enrolled one, from the verified quotes; its configuration, from boot,
 * IMA and kernel findings. Nothing is claimed of its hardware while only a pin vouches for the EK.
 */
export function kubeNodeVector({ status, findings }: Appraisal): TrustVector {
  const [identity, configuration] = split(findings, IDENTITY_CODES);
  return toVector(status, { instanceIdentity: statusOf(identity), configuration: statusOf(configuration) });
}

/** The trust vector of a container: what it can execute, and the rest of its file system. */
export function containerVector({ status, findings }: ContainerAppraisal): TrustVector {
  const [executables, fileSystem] = split(findings, EXECUTABLE_CODES);
  return toVector(status, { executables: statusOf(executables), fileSystem: statusOf(fileSystem) });
}

function split(findings: readonly Finding[], codes: ReadonlySet<FindingCode>): [Finding[], Finding[]] {
  return [findings.filter(({ code }) => codes.has(code)), findings.filter(({ code }) => !codes.has(code))];
}

/** Where nothing is decided as a whole, a good part of it must not read as good. */
function toVector(status: AppraisalStatus, claims: Partial<Record<keyof TrustVector, AppraisalStatus>>): TrustVector {
  const entries = Object.entries(claims).flatMap(([name, claim]) => {
    const value = status === 'none' && claim === 'affirming' ? undefined : TIER_VALUES[claim];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}
