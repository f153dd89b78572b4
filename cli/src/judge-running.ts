import type { CodeOrigin, ContainerClaims } from '@holdfast/evidence';

/** What a live look says of the processes of a container. */
export interface JudgedRunning {
  /** Code that the image does not have, and processes that see other files. */
  readonly changes: readonly string[];
  /** What cannot be judged. */
  readonly open: readonly string[];
  /** What may be as it is. */
  readonly notes: readonly string[];
}

const FOREIGN_ORIGINS: ReadonlySet<CodeOrigin> = new Set(['upper', 'tmpfs', 'memfd', 'deleted']);

/** Judges what was seen to run, each by what it is and the path of its program. */
export function judgeRunning({ running }: ContainerClaims): JudgedRunning {
  if (running === null) return { changes: [], open: [], notes: [] };
  const { code, executed, anonymous, foreign, injected, transient } = running;
  const named = (origins: (origin: CodeOrigin) => boolean) =>
    code.filter(({ origin }) => origins(origin)).map(({ origin, path }) => `runs:${origin}:${path}`);
  return {
    changes: [
      ...named((origin) => FOREIGN_ORIGINS.has(origin)),
      ...transient.map((path) => `ran:${path}`),
      ...foreign.map(({ sees, path }) => `${sees}:${path}`),
      ...injected.filter(({ from }) => from === 'process').map(({ name, value }) => `${name}=${value}`),
    ],
    open: named((origin) => origin === 'host' || origin === 'unknown'),
    notes: [
      ...named((origin) => origin === 'volume'),
      ...executed.map(({ terminal, path }) => `executed:${path}${terminal ? ' at a terminal' : ''}`),
      ...anonymous.map(({ path }) => `anonymousCode:${path}`),
      ...injected.filter(({ from }) => from !== 'process').map(({ name, value }) => `${name}=${value}`),
    ],
  };
}
