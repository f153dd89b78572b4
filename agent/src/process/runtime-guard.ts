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
}

const DIRECTORIES = ['usr/bin', 'usr/sbin', 'usr/local/bin', 'usr/local/sbin', 'bin', 'sbin'];
const NAMES = ['runc', 'crun'];
const MAX_BYTES = 128 * 1024 * 1024;
/** The runtime becomes the container's program, or goes, within this time. */
const SETTLE_MS = 2_000;
const MAX_WAITING = 1024;

/**
 * Tells the runtime's own process, which enters a container before it becomes the container's program, from what runs in
 * it. One that has the bytes of the host's runc or crun is the runtime whatever its name; one that only looks so is
 * believed for a short time.
 */
export class RuntimeGuard {
  readonly #hostRoot: string;
  readonly #hasher: Pick<FileHasher, 'hashHeld'>;
  readonly #nowMs: () => number;
  readonly #waiting = new Map<string, number>();

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
    if (sha256 !== undefined && this.#hashRuntimes().has(sha256)) return 'runtime';
    if (!/^[^\0]*\0init\0$/.test(process.command)) return 'inside';
    const key = `${process.pid} ${process.startTime}`;
    const nowMs = this.#nowMs();
    const sinceMs = this.#waiting.get(key) ?? nowMs;
    if (this.#waiting.size >= MAX_WAITING) this.#waiting.clear();
    this.#waiting.set(key, sinceMs);
    return nowMs - sinceMs < SETTLE_MS ? 'unsettled' : 'inside';
  }

  #hashRuntimes(): Set<string> {
    const paths = DIRECTORIES.flatMap((directory) => NAMES.map((name) => join(this.#hostRoot, directory, name)));
    const hashes = paths.map((path) => this.#hasher.hashHeld(path, MAX_BYTES, false));
    return new Set(hashes.filter((hash) => hash !== undefined));
  }
}
