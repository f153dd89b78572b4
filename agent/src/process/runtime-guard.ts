import { join } from 'node:path';
import type { LocatedCode } from './code-locator.ts';
import type { FileHasher } from './file-hasher.ts';

/** What tells a process that may be the runtime itself. */
export interface GuardedProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly program: LocatedCode;
  /** Arguments with NUL after each, latin1. */
  readonly command: string;
  /** The container that it is in. */
  readonly container: number;
  /** It is the first process of a container that was created and not started: it waits for as long as it takes. */
  readonly isCreated: boolean;
}

const DIRECTORIES = ['usr/bin', 'usr/sbin', 'usr/local/bin', 'usr/local/sbin', 'bin', 'sbin'];
const NAMES = ['runc', 'crun'];
const MAX_BYTES = 128 * 1024 * 1024;
/** The runtime becomes the container's program, or goes, within this time. */
const SETTLE_MS = 2_000;
/** It is in the container's cgroup already, and a small quota of CPU time makes seconds of its milliseconds. */
const RUNTIME_SETTLE_MS = 10_000;
/** Processes of one container that are believed at once: a runtime does not come in crowds. */
const MAX_WAITING = 64;
/** Looked at or gone by then. */
const FORGET_MS = 120_000;

interface Waiting {
  readonly container: number;
  readonly sinceMs: number;
  seenMs: number;
}

/**
 * Tells the runtime's own process, which enters a container before it becomes the container's program, from what runs in
 * it. One that has the bytes of the host's runc or crun, or only looks so, is believed for a short time each: bytes tell
 * what was started, not what it was made into since by whoever may trace it.
 */
export class RuntimeGuard {
  readonly #hostRoot: string;
  readonly #hasher: Pick<FileHasher, 'hashHeld'>;
  readonly #nowMs: () => number;
  readonly #waiting = new Map<string, Waiting>();

  /** `nowMs`: a clock that only goes forward. */
  constructor(hostRoot: string, hasher: Pick<FileHasher, 'hashHeld'>, nowMs: () => number) {
    this.#hostRoot = hostRoot;
    this.#hasher = hasher;
    this.#nowMs = nowMs;
  }

  /** `unsettled`: it may still become something else. */
  judge(process: GuardedProcess): 'runtime' | 'unsettled' | 'inside' {
    const { origin, sha256 } = process.program;
    if (origin === 'layer' || origin === 'upper' || origin === 'volume' || origin === 'tmpfs') return 'inside';
    const isRuntime = sha256 !== undefined && this.#hashRuntimes().has(sha256);
    if (isRuntime && process.isCreated) return 'runtime';
    if (!isRuntime && !/^[^\0]*\0init\0$/.test(process.command)) return 'inside';
    return this.#hasSettled(process, isRuntime ? RUNTIME_SETTLE_MS : SETTLE_MS) ? 'inside' : 'unsettled';
  }

  /** Since it was first seen, which no longer counts for what was not seen for long. */
  #hasSettled({ pid, startTime, container }: GuardedProcess, settleMs: number): boolean {
    const key = `${pid} ${startTime}`;
    const nowMs = this.#nowMs();
    for (const [each, { seenMs }] of this.#waiting) if (nowMs - seenMs > FORGET_MS) this.#waiting.delete(each);
    const known = this.#waiting.get(key);
    if (known === undefined) {
      const others = [...this.#waiting.values()].filter((each) => each.container === container);
      if (others.length >= MAX_WAITING) return true;
      this.#waiting.set(key, { container, sinceMs: nowMs, seenMs: nowMs });
      return false;
    }
    known.seenMs = nowMs;
    return nowMs - known.sinceMs >= settleMs;
  }

  #hashRuntimes(): Set<string> {
    const paths = DIRECTORIES.flatMap((directory) => NAMES.map((name) => join(this.#hostRoot, directory, name)));
    const hashes = paths.map((path) => this.#hasher.hashHeld(path, MAX_BYTES, false));
    return new Set(hashes.filter((hash) => hash !== undefined));
  }
}
