import type { CodeClaims, CodeOrigin, ContainerClaims, Drift, ProgramClaims, RunningClaims } from '@holdfast/evidence';
import { createFinding, type Finding } from './finding.ts';
import type { FindingCode } from './finding-code.ts';

/** What it says of code that it lies elsewhere than in the image. */
const ORIGIN_CODES: Record<CodeOrigin, FindingCode | undefined> = {
  layer: undefined,
  upper: 'CODE_FROM_UPPER',
  volume: 'CODE_FROM_VOLUME',
  tmpfs: 'CODE_FROM_MEMORY',
  memfd: 'FILELESS_EXECUTION',
  deleted: 'CODE_DELETED',
  host: 'CODE_OF_UNKNOWN_ORIGIN',
  unknown: 'CODE_OF_UNKNOWN_ORIGIN',
};
const SEES_CODES = { otherRoot: 'FOREIGN_ROOT', otherMounts: 'FOREIGN_MOUNT_NAMESPACE' } as const;

/**
 * Findings about what was seen to run in a container: code that is not of its image, wherever it lies or lay; processes
 * that were put into it or see other files; code that is put into programs. A running container of which nothing is known
 * is undecided. `drift` names the owners of files that were changed; null where there is none.
 */
export function appraiseRunning({ running, status }: ContainerClaims, drift: Drift | null): Finding[] {
  if (running === null) {
    return status === 'running' || status === 'paused' ? [createFinding('RUNNING_MISSING')] : [];
  }
  const isForeign = running.code.some(({ origin }) => ORIGIN_CODES[origin] !== undefined);
  const owners = new Map(isForeign ? drift?.relevant.map(({ path, ownedBy }) => [path, ownedBy]) : []);
  return [
    ...running.code.flatMap((code) => appraiseCode(code, owners)),
    ...running.transient.map((path) => createFinding('TRANSIENT_EXECUTABLE', { path })),
    ...appraisePrograms(running),
    ...running.injected
      .filter(({ from }) => from !== 'image')
      .map(({ path, name, value }) => createFinding('PRELOAD_IN_ENVIRONMENT', { path, actual: `${name}=${value}` })),
  ];
}

function appraiseCode(code: CodeClaims, owners: ReadonlyMap<string, string | undefined>): Finding[] {
  const finding = ORIGIN_CODES[code.origin];
  if (finding === undefined) return [];
  return [createFinding(finding, { ...describe(code), purl: owners.get(code.path) })];
}

function appraisePrograms({ executed, anonymous, foreign }: RunningClaims): Finding[] {
  return [
    ...executed.map((row) => createFinding(row.terminal ? 'EXEC_TERMINAL' : 'EXEC_PROCESS', describe(row))),
    ...anonymous.map((row) => createFinding('ANONYMOUS_CODE', describe(row))),
    ...foreign.map((row) => createFinding(SEES_CODES[row.sees], describe(row))),
  ];
}

function describe({ path, sha256 }: ProgramClaims): { path: string; actual?: string } {
  return sha256 === null ? { path } : { path, actual: sha256 };
}
