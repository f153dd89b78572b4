import { type BytePath, type DriftEntry, toBytePath } from '@holdfast/evidence/documents';
import { RootfsError } from '@holdfast/rootfs';
import {
  assembleDrift,
  type DriftMemory,
  type DriftOutcome,
  type DriftRequest,
  formatRemembered,
  formatSignature,
  MAX_RELEVANT,
  MAX_REMEMBERED,
  measureRelevant,
} from './collect-drift.ts';
import { compareEntry } from './compare-entry.ts';

export interface UpdateRequest extends DriftRequest {
  /** Paths below the upper directory, without a leading slash, bytes as latin1. */
  readonly paths: readonly string[];
  /** SHA-256 (hex) of the drift since which these paths changed; null where there is none. */
  readonly since: string | null;
}

/**
 * The drift after changes at some paths, without a walk: entries of these paths are compared with the image, all others
 * stay what they were. What is only counted stays as the last walk counted it. The outcome of before is given back itself
 * where nothing that is listed changed.
 *
 * Undefined calls for a walk, as the answer cannot be had of these paths alone: there was no complete walk before, or another
 * worker made the drift since which they changed; the path is or was a directory or has other names, content of the image is
 * hidden as a whole, something could not be read, or the time is over.
 */
export function updateDrift(request: UpdateRequest): DriftOutcome | undefined {
  const { last } = request.memory;
  if (last === undefined || last.outcome.sha256 !== request.since) return undefined;
  if (last.parts.limits.length > 0 || !last.parts.isPlain) return undefined;
  const relevant = new Map(last.parts.relevant);
  try {
    if (!request.paths.every((path) => performance.now() <= request.deadlineMs && takeIn(path, relevant, request))) {
      return undefined;
    }
  } catch (error) {
    if (error instanceof RootfsError || error instanceof TypeError) return undefined;
    throw error;
  }
  if (isSame(relevant, last.parts.relevant)) return last.outcome;
  if (!fits(relevant)) return undefined;
  const parts = { ...last.parts, relevant };
  const outcome = assembleDrift(parts, request);
  // No walk finds exactly the entries of before: the next one makes the document anew.
  request.memory.last = { entries: '', outcome, parts };
  return outcome;
}

/** Looks at one path. False where that does not tell enough. */
function takeIn(name: string, relevant: Map<BytePath, DriftEntry>, request: UpdateRequest): boolean {
  const { outcomes } = request.memory;
  const path: BytePath = toBytePath(Buffer.from(`/${name}`, 'latin1'));
  const known = outcomes.get(path);
  const readMs = Date.now();
  const entry = request.source.lookInside(path);
  const signature = entry && formatSignature(entry);
  if (known?.signature === signature) return entry !== undefined || !relevant.has(path);
  if (entry?.stat.type === 'directory' || isDirectory(known)) return false;
  if (known?.outcome.kind === 'relevant' && known.outcome.hidesImage) return false;
  // What changed has other names, of which no event need tell.
  if (entry !== undefined && entry.stat.nlink > 1) return false;
  if (entry === undefined || signature === undefined) {
    relevant.delete(path);
    return outcomes.delete(path);
  }
  const outcome = compareEntry(entry, request);
  // Where it is by now no event at this path can tell.
  if (outcome.kind === 'vanished') return false;
  if (outcome.kind === 'relevant' && (outcome.hidesImage || outcome.limit !== undefined)) return false;
  if (outcome.kind === 'relevant') relevant.set(path, outcome.entry);
  else relevant.delete(path);
  outcomes.set(path, { signature: formatRemembered(entry, signature, readMs), outcome });
  return outcomes.size <= MAX_REMEMBERED;
}

function fits(relevant: ReadonlyMap<BytePath, DriftEntry>): boolean {
  let bytes = 0;
  for (const entry of relevant.values()) bytes += measureRelevant(entry);
  return relevant.size <= MAX_RELEVANT.entries && bytes <= MAX_RELEVANT.bytes;
}

function isDirectory(known: ReturnType<DriftMemory['outcomes']['get']>): boolean {
  return known?.signature.startsWith('directory ') === true;
}

function isSame(a: ReadonlyMap<BytePath, DriftEntry>, b: ReadonlyMap<BytePath, DriftEntry>): boolean {
  return a.size === b.size && [...a].every(([path, entry]) => b.get(path) === entry);
}
