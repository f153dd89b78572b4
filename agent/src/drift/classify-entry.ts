import type { DriftEntryType, DriftKind } from '@holdfast/evidence/documents';
import { classifyArchiveList, classifyContent, classifyTail } from './classify-content.ts';
import { classifyName, findDataPlace, isCache, isLog, isProgramPlace } from './classify-name.ts';
import type { DriftReason } from './drift-reason.ts';

/** Version of the rules in this folder: any change of what counts as relevant gives it another number. */
export const DRIFT_RULES = 'holdfast-drift-rules-v3';

/** One difference between a container and its image, as the rules see it. */
export interface DriftFacts {
  readonly kind: DriftKind;
  /** Bytes as latin1, absolute. */
  readonly path: string;
  /** Of the entry now; `none` where it was removed. */
  readonly entryType: DriftEntryType;
  /** Attributes now; absent for a removed entry. */
  readonly after?: DriftFactAttributes | undefined;
  /** Attributes in the image; absent where the image has nothing at the path. */
  readonly before?: (DriftFactAttributes & { readonly entryType: DriftEntryType }) | undefined;
  /** First bytes of a regular file that is new or has other content; undefined where they could not be read. */
  readonly head?: Uint8Array | undefined;
  /** Last bytes, where the first ones are not all and somebody may have hidden code behind other content. */
  readonly tail?: Uint8Array | undefined;
  /** List of names of a ZIP archive, where the last bytes say that there is one. */
  readonly archiveList?: Uint8Array | undefined;
}

export interface DriftFactAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly capability?: string | undefined;
  /** Digest over the other extended attributes. */
  readonly xattrs?: string | undefined;
}

/**
 * Decides whether a difference is relevant, and why. Pure; an empty answer means that it is not.
 *
 * 1. Whatever touches a path that the image contains is relevant: content, attributes, removal, opaque directories.
 * 2. A new entry outside the data places is relevant.
 * 3. A new entry in a data place is relevant when its name or place, its first or last bytes, an execute bit on a file, a
 *    set-id bit or a capability make it code or trust, when it is a device, or a link where programs are looked up. Files
 *    whose bytes could not be read are relevant.
 *
 * So sockets, pipes, other links, directories and plain files in data places are not, until a rule of 3 names them.
 */
export function classifyEntry(facts: DriftFacts): DriftReason[] {
  const reasons = new Set<DriftReason>(classifyAttributes(facts));
  for (const reason of classifyChange(facts)) reasons.add(reason);
  for (const reason of classifyName(facts.path, facts.entryType)) reasons.add(reason);
  for (const reason of classifyBytes(facts)) reasons.add(reason);
  return [...reasons].sort();
}

function classifyBytes({ kind, path, entryType, head, tail, archiveList }: DriftFacts): DriftReason[] {
  if (entryType !== 'file' || (kind !== 'added' && kind !== 'modified')) return [];
  if (head === undefined) return ['unreadable'];
  const reasons = classifyContent(head, { isLog: isLog(path), isCache: isCache(path) });
  if (tail !== undefined && !isLog(path)) reasons.push(...classifyTail(head, tail));
  if (archiveList !== undefined) reasons.push(...classifyArchiveList(archiveList));
  return reasons;
}

function classifyChange(facts: DriftFacts): DriftReason[] {
  const reasons: DriftReason[] = [];
  const { kind, before, entryType } = facts;
  if (before !== undefined) reasons.push('imageContent');
  else if (findDataPlace(facts.path) === undefined) reasons.push('newEntry');
  if (kind === 'removed') reasons.push('removed');
  if (kind === 'opaque' || (before?.entryType === 'directory' && kind === 'modified')) reasons.push('opaque');
  const isLink = kind !== 'removed' && (entryType === 'symlink' || before?.entryType === 'symlink');
  if (isLink && isProgramPlace(facts.path)) reasons.push('programLink');
  if (kind === 'modified' && before !== undefined && before.entryType !== entryType) reasons.push('typeChanged');
  if (entryType === 'char' || entryType === 'block') reasons.push('device');
  const isSpecial = entryType === 'fifo' || entryType === 'socket';
  if (isSpecial && findDataPlace(facts.path) === undefined) reasons.push('specialFile');
  return reasons;
}

function classifyAttributes({ entryType, after, before }: DriftFacts): DriftReason[] {
  if (after === undefined) return [];
  const reasons: DriftReason[] = [];
  const isLink = entryType === 'symlink';
  if (entryType === 'file' && (after.mode & 0o111) !== 0) reasons.push('executable');
  if (entryType === 'file' && (after.mode & 0o4000) !== 0) reasons.push('setuid');
  if (entryType === 'file' && (after.mode & 0o2000) !== 0) reasons.push('setgid');
  if (after.capability !== undefined || before?.capability !== undefined) reasons.push('capability');
  if (before === undefined) return reasons;
  if (!isLink && after.mode !== before.mode) reasons.push('mode');
  if (after.uid !== before.uid || after.gid !== before.gid) reasons.push('owner');
  if (after.xattrs !== before.xattrs) reasons.push('xattrs');
  return reasons;
}
