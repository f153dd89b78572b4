import { worseStatus } from './finding.ts';
import { type AppraisalStatus, FINDING_RULES, type FindingCode } from './finding-code.ts';

/** What the findings about a kube node leave of each claim of its trust vector. */
export interface KubeNodeTiers {
  readonly instanceIdentity: AppraisalStatus;
  readonly configuration: AppraisalStatus;
}

/** What the findings about a container leave of each claim of its trust vector. */
export interface ContainerTiers {
  readonly executables: AppraisalStatus;
  readonly fileSystem: AppraisalStatus;
}

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

/** The tiers of a kube node, from the codes of all its findings: that it is the enrolled one, and everything else. */
export function judgeKubeNodeTiers(codes: Iterable<FindingCode>): KubeNodeTiers {
  const [instanceIdentity, configuration] = judgeParts(codes, IDENTITY_CODES);
  return { instanceIdentity, configuration };
}

/** The tiers of a container, from the codes of all its findings: what it can execute, and the rest of its file system. */
export function judgeContainerTiers(codes: Iterable<FindingCode>): ContainerTiers {
  const [executables, fileSystem] = judgeParts(codes, EXECUTABLE_CODES);
  return { executables, fileSystem };
}

function judgeParts(codes: Iterable<FindingCode>, first: ReadonlySet<FindingCode>): [AppraisalStatus, AppraisalStatus] {
  const statuses: [AppraisalStatus, AppraisalStatus] = ['affirming', 'affirming'];
  for (const code of codes) {
    const part = first.has(code) ? 0 : 1;
    statuses[part] = worseStatus(statuses[part], FINDING_RULES[code].ceiling);
  }
  return statuses;
}
