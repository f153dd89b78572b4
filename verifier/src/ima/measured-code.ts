import type { CodeOrigin } from '@holdfast/evidence';
import type { ContainerEvidence } from '../appraisal/appraisal-input.ts';
import { isCode } from '../appraisal/appraise-drift.ts';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import { keyMeasured } from './measured-files.ts';

/** Code in a container that its image does not have so. */
export interface ForeignCode {
  /** Path in the container, as drift documents and claims write it. */
  readonly path: string;
  readonly sha256: string;
}

/** A deleted file can be one of the image, and a volume is meant to bring what it brings. */
const FOREIGN_ORIGINS: ReadonlySet<CodeOrigin> = new Set<CodeOrigin>(['upper', 'memfd', 'unknown']);
/** More than a person reads of one container; each is a look-up. */
const MAX_CODE = 1_024;

/** Lists added and changed code of a container, from its drift document and from what was seen running. */
export function listForeignCode({ claims, drift }: Pick<ContainerEvidence, 'claims' | 'drift'>): ForeignCode[] {
  const drifted = drift?.state === 'ok' ? drift.value.relevant : [];
  const files = drifted.flatMap((entry): ForeignCode[] => {
    const sha256 = entry.after?.sha256;
    const isOther = entry.kind === 'added' || entry.kind === 'modified';
    return sha256 !== undefined && sha256 !== entry.before?.sha256 && isOther && isCode(entry)
      ? [{ path: entry.path, sha256 }]
      : [];
  });
  return [...files, ...listRunningCode(claims)].slice(0, MAX_CODE);
}

/** Findings for foreign code that IMA measured: it was more than put there. */
export function appraiseMeasuredCode(evidence: ContainerEvidence, measuredCode: ReadonlySet<string>): Finding[] {
  if (measuredCode.size === 0) return [];
  const found = new Map<string, ForeignCode>();
  for (const code of listForeignCode(evidence)) {
    const key = keyMeasured(code.path, code.sha256);
    if (key !== undefined && measuredCode.has(key)) found.set(key, code);
  }
  return [...found.values()].map(({ path, sha256 }) =>
    createFinding('FOREIGN_CODE_MEASURED', { path, actual: sha256 }),
  );
}

/** Programs and mapped files that neither the image nor a volume brought. */
function listRunningCode(claims: ContainerEvidence['claims']): ForeignCode[] {
  const running = claims.state === 'ok' ? claims.value.running : null;
  if (running === null) return [];
  return [...running.code, ...running.executed].flatMap(({ path, origin, sha256 }) =>
    sha256 !== null && FOREIGN_ORIGINS.has(origin) ? [{ path, sha256 }] : [],
  );
}
