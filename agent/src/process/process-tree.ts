import type { ProcessStat } from './proc-stat.ts';

/** The processes of a container, and what is known of parents outside of it. */
export interface ProcessTree {
  readonly first: number;
  readonly stats: ReadonlyMap<number, ProcessStat>;
  /** Whether this process takes the orphans of the other one: the first process of its PID namespace. */
  readonly adopts: (parent: number, child: number) => boolean;
}

/**
 * Lists the processes that the container's first one did not bring about: they, or their forebears, were put into it from
 * outside. A process that lost its parent belongs to whoever adopts in its PID namespace; where that is a process outside
 * of the container too, as in a pod that shares it, it counts as brought about inside.
 */
export function listOutsiders({ first, stats, adopts }: ProcessTree): Set<number> {
  const outside = new Map<number, boolean>([[first, false]]);
  const decide = (pid: number, depth: number): boolean => {
    const known = outside.get(pid);
    if (known !== undefined) return known;
    const parent = stats.get(pid)?.parent ?? 0;
    // A circle of parents cannot be; numbers that were given anew between two reads can look like one.
    const isOutside = stats.has(parent) && depth < stats.size ? decide(parent, depth + 1) : !adopts(parent, pid);
    outside.set(pid, isOutside);
    return isOutside;
  };
  for (const pid of [...stats.keys()].sort((a, b) => a - b)) decide(pid, 0);
  return new Set([...stats.keys()].filter((pid) => outside.get(pid) === true));
}
