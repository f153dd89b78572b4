import { runTool } from '../world/run-tool.ts';

/** What one run of a program cost. */
export interface MeasuredRun {
  readonly wallMs: number;
  readonly peakMib: number;
}

/** Node cannot ask the kernel for a child's peak memory; Python's wait4 can, and it times without Node's own overhead. */
const MEASURE = `
import os, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.perf_counter() - start
if code != 0: sys.exit(f'exit {code}')
print(wall * 1000, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
`;

/** Runs a program to its end. Throws where it fails, since a failed run measures nothing. */
export async function measureRun(command: readonly string[], env: Record<string, string> = {}): Promise<MeasuredRun> {
  const [wallMs, peakMib] = (await runTool('/usr/bin/python3', ['-c', MEASURE, ...command], { env }))
    .toString()
    .trim()
    .split(' ')
    .map(Number);
  if (wallMs === undefined || peakMib === undefined) throw new Error('nothing was measured');
  return { wallMs, peakMib };
}
