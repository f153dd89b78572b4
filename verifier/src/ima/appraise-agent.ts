import type { AppraisedEvidence } from '../appraisal/appraisal-input.ts';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import type { AgentConclusion } from './agent-conclusion.ts';
import { isImaProven } from './appraise-ima.ts';

/**
 * Appraises whether the agent that speaks is one that somebody built and signed, as far as a quoted IMA list shows it: that
 * IMA measured what the agent says it runs; that signed lists of its version have these files; that they have all else
 * that was measured in its directory. Without a list that holds nothing is said: other findings say why.
 */
export function appraiseAgent({ ima, imaLog, imaFiles, claims }: AppraisedEvidence): Finding[] {
  if (imaFiles === null || ima.state !== 'ok' || !isImaProven(imaLog)) return [];
  const limited = imaFiles.isLimited ? [createFinding('IMA_FILES_LIMITED')] : [];
  if (imaFiles.agent === null) {
    return [...limited, createFinding('AGENT_UNMEASURED', {}, 'The agent does not say which files it runs.')];
  }
  return [...limited, ...appraiseFiles(imaFiles.agent, claims.holdfast.agent.version)];
}

function appraiseFiles({ reference, claimed, foreign, foreignCount }: AgentConclusion, version: string): Finding[] {
  const expected = `a signed list of the files of version ${version}`;
  const [first] = foreign;
  const others = foreignCount > 1 ? ` and ${foreignCount - 1} more` : '';
  return [
    ...claimed
      .filter(({ isMeasured }) => !isMeasured)
      .map(({ path, sha256 }) => createFinding('AGENT_UNMEASURED', { path, expected: sha256 })),
    ...claimed
      .filter(({ isReferenced }) => isReferenced === false)
      .map(({ path, sha256 }) => createFinding('AGENT_UNKNOWN', { path, expected, actual: sha256 })),
    ...(first === undefined
      ? []
      : [createFinding('AGENT_FILE_FOREIGN', { path: first.path, actual: `${first.sha256}${others}` })]),
    ...(reference === 'none' ? [createFinding('AGENT_NOT_REFERENCED', { expected })] : []),
  ];
}
