import { hash } from 'node:crypto';
import type { AgentFilesClaims, ImaClaims } from '@holdfast/evidence';
import type { HostFiles } from '../host/host-files.ts';
import { findImaEntry } from './ima-log.ts';

const DIRECTORY = '/sys/kernel/security/ima';
const LIST = `${DIRECTORY}/binary_runtime_measurements`;
const MAX_POLICY_BYTES = 1024 * 1024;
const MAX_SEGMENT_BYTES = 2 * 1024 * 1024;
const FIRST_ENTRY_BYTES = 64 * 1024;
const MAX_POSITIONS = 1_024;

export interface ImaSegment {
  /** Index of the first entry. */
  offset: number;
  content: Buffer;
  /** Index of the entry after the last one of this segment. */
  next: number;
}

/**
 * Makes the `ima` claims-set; `policy` is the SHA-256 of the policy text where the kernel lets it be read, `agent` what
 * this agent runs.
 */
export function collectImaClaims(files: HostFiles, agent: AgentFilesClaims | null): ImaClaims {
  const head = files.readPart(LIST, 0, FIRST_ENTRY_BYTES);
  const policy = files.read(`${DIRECTORY}/policy`, MAX_POLICY_BYTES);
  return {
    type: 'ima',
    active: head !== undefined,
    template: head === undefined ? null : (findImaEntry(head, 0)?.template ?? null),
    policy: policy === undefined || policy.length === 0 ? null : hash('sha256', policy),
    agent: head === undefined ? null : agent,
  };
}

/** Whether the kernel keeps a measurement list. */
export function isImaActive(files: HostFiles): boolean {
  return files.readPart(LIST, 0, 1) !== undefined;
}

/** Cuts the kernel's measurement list into segments by entry, reading no more of it than was asked for. */
export class ImaReader {
  readonly #files: HostFiles;
  /** Byte offsets of entries that a segment ended at, so that a list of any length is walked only once. */
  readonly #positions = new Map<number, number>([[0, 0]]);

  constructor(files: HostFiles) {
    this.#files = files;
  }

  /**
   * Entries from index `offset` on, at most 2 MiB of them. Undefined where the list has no whole entry there. Call it
   * after the quotes: what is measured between quote and reading is longer than the quote, never shorter.
   */
  read(offset: number): ImaSegment | undefined {
    let position = this.#nearest(offset);
    for (;;) {
      const part = this.#files.readPart(LIST, position.at, MAX_SEGMENT_BYTES);
      if (part === undefined) return undefined;
      const span = countEntries(part, position.index < offset ? offset - position.index : Number.POSITIVE_INFINITY);
      if (span.entries === 0) return undefined;
      const next = { index: position.index + span.entries, at: position.at + span.size };
      this.#remember(next);
      if (position.index >= offset) return { offset, content: part.subarray(0, span.size), next: next.index };
      position = next;
    }
  }

  #nearest(offset: number): { index: number; at: number } {
    const known = [...this.#positions].filter(([index]) => index <= offset);
    const [index, at] = known.reduce((best, entry) => (entry[0] > best[0] ? entry : best), [0, 0]);
    return { index, at };
  }

  #remember(position: { index: number; at: number }): void {
    if (this.#positions.size >= MAX_POSITIONS) {
      this.#positions.clear();
      this.#positions.set(0, 0);
    }
    this.#positions.set(position.index, position.at);
  }
}

function countEntries(part: Buffer, most: number): { entries: number; size: number } {
  let size = 0;
  let entries = 0;
  while (entries < most) {
    const entry = findImaEntry(part, size);
    if (entry === undefined) break;
    size += entry.size;
    entries += 1;
  }
  return { entries, size };
}
