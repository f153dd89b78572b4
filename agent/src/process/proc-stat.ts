/** What /proc/PID/stat says of a process. */
export interface ProcessStat {
  readonly parent: number;
  readonly hasTerminal: boolean;
  /** In clock ticks since boot: with its number it names a process for good. */
  readonly startTime: string;
}

/** The kernel's marks (`PF_EXITING`, `PF_KTHREAD`) of what is on its way out for good, and of what is its own. */
const NO_PROGRAM = 0x4 | 0x20_0000;

/**
 * Whether a thread may run a program, by its /proc/PID/stat: it did not end, is not ending, which it announces before it
 * lets go of anything, and is none of the kernel's.
 */
export function isLivingThread(text: string): boolean {
  const [state, , , , , , flags] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || flags === undefined || !/^\d+$/.test(flags)) return false;
  return !['Z', 'X', 'x'].includes(state) && (Number(flags) & NO_PROGRAM) === 0;
}

/**
 * Parses /proc/PID/stat (proc_pid_stat(5)). The name of the program, which it chose, may hold spaces and brackets: what
 * counts stands after the last one. Undefined where it is not of the kernel's form.
 */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [, parent, , , terminal] = fields;
  const startTime = fields[19];
  if (parent === undefined || terminal === undefined || startTime === undefined) return undefined;
  if (![parent, terminal, startTime].every((field) => /^-?\d+$/.test(field))) return undefined;
  return { parent: Number(parent), hasTerminal: terminal !== '0', startTime };
}
