import { isLivingThread } from './proc-stat.ts';
import type { ProcBytes, ProcessFiles } from './process-files.ts';

/** What a look reads of a process before all else. */
export interface ProcessEntry {
  /** Thread by which the process can be read: its first one, unless that ended before the others. */
  readonly id: number;
  readonly namespace: string;
  /** As `ProcessFiles.readProgram`. */
  readonly path: string;
  readonly maps: ProcBytes;
}

/** Threads of one process that are tried. */
const MAX_THREADS = 4_096;

/**
 * Reads a process by the first of its threads that shows all of it. The kernel shows nothing of a first thread that ended,
 * while others may go on for ever. `gone`: no thread lives; `hidden`: one does, and none can be read.
 */
export function readProcess(files: ProcessFiles, pid: number): ProcessEntry | 'gone' | 'hidden' {
  return tryThreads(files, pid, (id) => {
    const [namespace, path, maps] = [files.readMountNamespace(id), files.readProgram(id), files.readMaps(id)];
    // Code that runs is mapped: a map without a line is that of a thread that is ending.
    if (namespace === undefined || path === undefined || maps === undefined || maps.bytes.length === 0)
      return undefined;
    return { id, namespace, path, maps };
  });
}

/** Reads the mount namespace of a process. Answers as `readProcess`. */
export function readNamespace(files: ProcessFiles, pid: number): { id: number; namespace: string } | 'gone' | 'hidden' {
  return tryThreads(files, pid, (id) => {
    const namespace = files.readMountNamespace(id);
    return namespace === undefined ? undefined : { id, namespace };
  });
}

function tryThreads<T>(files: ProcessFiles, pid: number, read: (id: number) => T | undefined): T | 'gone' | 'hidden' {
  const first = read(pid);
  if (first !== undefined) return first;
  const threads = files.listThreads(pid) ?? [];
  let isHidden = threads.length > MAX_THREADS;
  for (const id of [pid, ...threads.slice(0, MAX_THREADS)]) {
    const found = id === pid ? undefined : read(id);
    if (found !== undefined) return found;
    // Asked after the refusal: whoever lives now lived then.
    isHidden ||= isLivingThread(files.readStat(id) ?? '');
  }
  return isHidden ? 'hidden' : 'gone';
}
