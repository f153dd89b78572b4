import { readdir, readFile } from 'node:fs/promises';

/**
 * CPU time that a process and its threads have used, in ms, by the scheduler's own count (nanoseconds; the clock ticks of
 * /proc/PID/stat are too coarse for a round). Threads that have ended are not in it: measure between two calls.
 */
export async function readCpuMs(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(
    threads.map(async (tid) => {
      const text = await readFile(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').catch(() => '0');
      return Number(text.split(' ')[0]) / 1e6;
    }),
  );
  return times.reduce((sum, value) => sum + value, 0);
}

/** Resident memory now, and the most it ever was, in MiB. */
export async function readMemoryMib(pid: number): Promise<{ now: number; peak: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}
