import { type AgentFile, type AgentFilesClaims, formatBytePath, toBytePath } from '@holdfast/evidence';
import type { AgentBuild } from '../references/agent-files.ts';
import { type MeasuredFiles, toMeasuredPath } from './measured-files.ts';

/** What signed lists of builds say of an agent: none is known, none of its version, or there is one. */
export type AgentReferenceState = 'none' | 'otherVersions' | 'known';

/** A file that the agent says it runs. */
export interface ClaimedFile extends AgentFile {
  /** Whether IMA measured this content at this path. */
  readonly isMeasured: boolean;
  /** Whether a signed list of the agent's version has it; null where there is no list at all. */
  readonly isReferenced: boolean | null;
}

/** What the verified part of the IMA list and signed lists say of the agent's files. */
export interface AgentConclusion {
  readonly reference: AgentReferenceState;
  /** Program, script and native modules, in this order. */
  readonly claimed: readonly ClaimedFile[];
  /** Measured in the directory of the build and in no signed list of any version; the first ones, by path. */
  readonly foreign: readonly AgentFile[];
  readonly foreignCount: number;
}

export interface AgentInputs {
  readonly claims: AgentFilesClaims;
  /** Version that the token names. */
  readonly version: string;
  readonly measured: Pick<MeasuredFiles, 'agentFiles'>;
  /** Signed lists that count now. */
  readonly builds: readonly AgentBuild[];
}

const MAX_FOREIGN = 8;

/**
 * Compares what an agent says it runs with the files that IMA measured in its directory, and both with signed lists of
 * builds. Paths of the list are those of the agent's mount namespace, and other containers can have the same ones: only
 * what the agent itself claims can be held against it.
 */
export function concludeAgent({ claims, version, measured, builds }: AgentInputs): AgentConclusion {
  const root = `${toMeasuredPath(claims.root) ?? ''}/`;
  const ofVersion = builds.filter((build) => build.version === version);
  const claimed = [claims.executable, ...(claims.main === null ? [] : [claims.main]), ...claims.modules].map(
    (file): ClaimedFile => {
      const path = toMeasuredPath(file.path) ?? '';
      const isMeasured = measured.agentFiles.has(`${file.sha256} ${path}`);
      const isReferenced = builds.length === 0 ? null : isListed(ofVersion, root, path, file.sha256);
      return { ...file, isMeasured, isReferenced };
    },
  );
  const foreign = builds.length === 0 ? [] : listForeign(measured.agentFiles, root, builds, claimed);
  return {
    reference: builds.length === 0 ? 'none' : ofVersion.length === 0 ? 'otherVersions' : 'known',
    claimed,
    foreign: foreign.slice(0, MAX_FOREIGN),
    foreignCount: foreign.length,
  };
}

function isListed(builds: readonly AgentBuild[], root: string, path: string, sha256: string): boolean {
  if (!path.startsWith(root)) return false;
  const name = Buffer.from(path.slice(root.length), 'latin1').toString('utf8');
  return builds.some(({ files }) => files.get(name) === sha256);
}

function listForeign(
  files: ReadonlySet<string>,
  root: string,
  builds: readonly AgentBuild[],
  claimed: readonly AgentFile[],
): AgentFile[] {
  const own = new Set(claimed.map(({ path, sha256 }) => `${sha256} ${toMeasuredPath(path) ?? ''}`));
  return [...files]
    .filter((file) => !own.has(file))
    .map((file) => ({ sha256: file.slice(0, 64), path: file.slice(65) }))
    .filter(({ path, sha256 }) => path.startsWith(root) && !isListed(builds, root, path, sha256))
    .toSorted((a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)))
    .map(({ path, sha256 }) => ({ path: formatBytePath(toBytePath(Buffer.from(path, 'latin1'))), sha256 }));
}
