import {
  type BytePath,
  type DriftAttributes,
  type DriftEntry,
  type DriftKind,
  formatBytePath,
  joinBytePath,
  toBytePath,
} from '@holdfast/evidence/documents';
import { RootfsError } from '@holdfast/rootfs';
import type { OverlayRootView } from '../overlay/overlay-view.ts';
import { type RootView, type ViewEntry, ViewLimitError } from '../root-view/root-view.ts';
import { findArchiveList } from './archived-program.ts';
import { classifyEntry, type DriftFacts } from './classify-entry.ts';
import type { DriftReason } from './drift-reason.ts';
import { isRuntimeStub, type MountPoints } from './runtime-stub.ts';
import { listEnds, type UpperEntry, type UpperSource } from './upper-source.ts';
import { digestXattrs } from './xattr-digest.ts';

/** What one entry of the upper directory means. */
export type EntryOutcome =
  /** Nothing: a copy whose content and attributes are those of the image, a parent, a stub of the runtime. */
  | { readonly kind: 'same' }
  /** Not where it was seen a moment ago: nothing can be said of it, least of all for later. */
  | { readonly kind: 'vanished' }
  /** Counted, not listed. */
  | { readonly kind: 'other'; readonly bytes: number }
  | {
      readonly kind: 'relevant';
      readonly entry: DriftEntry;
      /** The image has a directory here whose content no longer shows, but for what the upper directory holds itself. */
      readonly hidesImage: boolean;
      /** Of an opaque directory: what is left to say where it holds all that the image has there. */
      readonly ifNothingHidden?: EntryOutcome;
      /** Named where something of it could not be read. */
      readonly limit?: string;
    };

export interface CompareContext {
  readonly source: UpperSource;
  /** The image: lower layers alone. */
  readonly image: ImageView;
  readonly mountPoints: MountPoints;
}

/** What a comparison needs of the image. */
export type ImageView = RootView & Pick<OverlayRootView, 'readXattrs'>;

const ROOT = toBytePath('/');
const SAME: EntryOutcome = { kind: 'same' };
const VANISHED: EntryOutcome = { kind: 'vanished' };
const MAX_LIMIT_CHARS = 256;

/**
 * Compares one entry of an upper directory with the image: what it hides, what it adds, what it changes. Content is
 * compared by SHA-256, so that a copy made by chmod or touch alone is not taken for a change of content.
 *
 * What cannot be read is relevant with the reason `unreadable` and a named limit, never left out.
 */
export function compareEntry(entry: UpperEntry, context: CompareContext): EntryOutcome {
  try {
    const limit = findUnsupported(entry);
    return limit === undefined ? compareReadable(entry, context) : createUnreadable(entry, limit);
  } catch (error) {
    if (error instanceof ViewLimitError) {
      if (error.limit === 'time') throw error;
      return createUnreadable(entry, error.limit);
    }
    if (!(error instanceof RootfsError)) throw error;
    if (error.code === 'ERR_ROOTFS_NOT_FOUND') return VANISHED;
    if (error.syscall === 'clock_gettime') throw new ViewLimitError('time', entry.path);
    return createUnreadable(entry, error.code === 'ERR_ROOTFS_LIMIT' ? 'fileBytes' : 'changedWhileRead');
  }
}

/** Puts a limit and the path where it was hit into one text of bounded length. */
export function formatLimit(limit: string, path: BytePath): string {
  return `${limit}:${formatBytePath(path)}`.slice(0, MAX_LIMIT_CHARS);
}

/** A removed entry of the image, with what it was. */
export function createRemoved(path: BytePath, before: ViewEntry, image: ImageView): DriftEntry {
  const facts: DriftFacts = { kind: 'removed', path, entryType: 'none', before: describeBefore(path, before, image) };
  return createEntry(path, facts, undefined, describeImage(path, before, image));
}

function findUnsupported({ problem, xattrs, stat }: UpperEntry): string | undefined {
  if (problem === 'mount') return 'unsupported';
  if (problem !== undefined) return problem === 'changed' ? 'changedWhileRead' : 'unreadable';
  const hasMeaning = (name: string) => xattrs[`trusted.overlay.${name}`] !== undefined;
  if (hasMeaning('redirect') || hasMeaning('metacopy') || hasMeaning('whiteout')) return 'unsupported';
  const opaque = xattrs['trusted.overlay.opaque']?.toString('latin1');
  return stat.type === 'directory' && opaque === 'x' ? 'unsupported' : undefined;
}

function compareReadable(entry: UpperEntry, context: CompareContext): EntryOutcome {
  const { path, stat } = entry;
  const before = context.image.lstat(path);
  if (stat.type === 'char' && stat.rdevMajor === 0 && stat.rdevMinor === 0) {
    if (before === undefined) return SAME;
    const removed = createRemoved(path, before, context.image);
    return { kind: 'relevant', entry: removed, hidesImage: before.type === 'directory' };
  }
  if (before === undefined) return isRuntimeStub(entry, context.mountPoints) ? SAME : decide(entry, 'added', context);
  if (path === ROOT && isMadeByRuntime(entry)) return SAME;
  const kind = findKind(entry, before, context);
  const plain = kind === undefined ? SAME : decide(entry, kind, context, before);
  if (stat.type !== 'directory' || before.type !== 'directory' || !isOpaque(entry)) return plain;
  const opaque = decide(entry, 'opaque', context, before);
  return opaque.kind === 'relevant' ? { ...opaque, ifNothingHidden: plain } : plain;
}

function findKind(entry: UpperEntry, before: ViewEntry, { source, image }: CompareContext): DriftKind | undefined {
  const { stat, path } = entry;
  if (stat.type !== before.type) return 'modified';
  if (stat.type === 'symlink' && entry.target !== before.target) return 'modified';
  const isDevice = stat.type === 'char' || stat.type === 'block';
  if (isDevice && (stat.rdevMajor !== before.rdevMajor || stat.rdevMinor !== before.rdevMinor)) return 'modified';
  if (stat.type === 'file') {
    if (stat.size !== before.size || source.hashFile(entry) !== image.hashFile(path)) return 'modified';
  }
  return hasSameAttributes(entry, before, image) ? undefined : 'attributes';
}

function hasSameAttributes(entry: UpperEntry, before: ViewEntry, image: ImageView): boolean {
  const { stat, path } = entry;
  // The kernel gives every symbolic link the same mode; a tar may name another.
  if (stat.type !== 'symlink' && stat.mode !== before.mode) return false;
  if (stat.uid !== before.uid || stat.gid !== before.gid || readCapability(entry) !== before.capability) return false;
  return digestXattrs(entry.xattrs) === digestXattrs(image.readXattrs(path));
}

/** The root of an upper directory is made anew, with this mode and the owner that the image's root has. */
function isMadeByRuntime({ stat, xattrs }: UpperEntry): boolean {
  return stat.mode === 0o755 && stat.uid === 0 && stat.gid === 0 && digestXattrs(xattrs) === undefined;
}

function decide(entry: UpperEntry, kind: DriftKind, context: CompareContext, before?: ViewEntry): EntryOutcome {
  const { path, stat } = entry;
  const isNewContent = stat.type === 'file' && (kind === 'added' || kind === 'modified');
  const facts: DriftFacts = {
    kind,
    path,
    entryType: stat.type,
    after: { ...stat, capability: readCapability(entry), xattrs: digestXattrs(entry.xattrs) },
    before: before === undefined ? undefined : describeBefore(path, before, context.image),
    ...(isNewContent ? readEnds(entry, context.source) : {}),
  };
  if (classifyEntry(facts).length === 0) return { kind: 'other', bytes: stat.type === 'file' ? stat.size : 0 };
  const sha256 = stat.type === 'file' ? context.source.hashFile(entry) : undefined;
  const after = describe({ ...stat, ...facts.after, target: entry.target }, sha256);
  const was = before === undefined ? undefined : describeImage(path, before, context.image);
  const hidesImage = before?.type === 'directory' && (kind === 'opaque' || stat.type !== 'directory');
  return { kind: 'relevant', entry: createEntry(path, facts, after, was), hidesImage };
}

/** First bytes, the last ones where these are not all, and the names in an archive that ends there. */
function readEnds(entry: UpperEntry, source: UpperSource): Pick<DriftFacts, 'head' | 'tail' | 'archiveList'> {
  const ranges = listEnds(entry);
  const [head, tail] = entry.ends === undefined ? source.readParts(entry, ranges) : [entry.ends.head, entry.ends.tail];
  const list = findArchiveList(tail ?? head ?? Buffer.alloc(0), ranges.at(-1)?.offset ?? 0);
  return { head, tail, archiveList: list && source.readParts(entry, [{ offset: list.offset, length: list.bytes }])[0] };
}

function describeBefore(path: BytePath, before: ViewEntry, image: ImageView): NonNullable<DriftFacts['before']> {
  return { ...before, entryType: before.type, xattrs: digestXattrs(image.readXattrs(path)) };
}

function createUnreadable(entry: UpperEntry, limit: string): EntryOutcome {
  const { path, stat } = entry;
  const facts: DriftFacts = { kind: 'added', path, entryType: stat.type, after: stat };
  const reasons: DriftReason[] = [...new Set<DriftReason>([...classifyEntry(facts), 'unreadable'])].sort();
  const after = describe({ ...stat, target: entry.target, capability: readCapability(entry) }, undefined);
  const driftEntry: DriftEntry = { path: formatBytePath(path), kind: 'added', entryType: stat.type, reasons, after };
  return { kind: 'relevant', entry: driftEntry, hidesImage: false, limit: formatLimit(limit, path) };
}

function createEntry(
  path: BytePath,
  facts: DriftFacts,
  after: DriftAttributes | undefined,
  before: DriftAttributes | undefined,
): DriftEntry {
  const { kind, entryType } = facts;
  const entry: DriftEntry = {
    path: formatBytePath(path),
    kind,
    entryType,
    reasons: classifyEntry(facts),
  };
  if (after !== undefined) entry.after = after;
  if (before !== undefined) entry.before = before;
  return entry;
}

function describeImage(path: BytePath, before: ViewEntry, image: ImageView): DriftAttributes {
  const xattrs = digestXattrs(image.readXattrs(path));
  return describe({ ...before, xattrs }, before.type === 'file' ? image.hashFile(path) : undefined);
}

interface Described {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly target?: string | undefined;
  readonly capability?: string | undefined;
  readonly xattrs?: string | undefined;
}

function describe(entry: Described, sha256: string | undefined): DriftAttributes {
  const { mode, uid, gid, type } = entry;
  // Sizes of directories are the file system's own affair and move by themselves.
  const size = type === 'file' ? entry.size : 0;
  const attributes: DriftAttributes = { mode: mode.toString(8), uid, gid, size };
  if (sha256 !== undefined) attributes.sha256 = sha256;
  if (entry.target !== undefined) attributes.target = formatTarget(entry.target);
  if (entry.capability !== undefined) attributes.capability = entry.capability;
  if (entry.xattrs !== undefined) attributes.xattrs = entry.xattrs;
  if (type === 'char' || type === 'block') attributes.rdev = `${entry.rdevMajor}:${entry.rdevMinor}`;
  return attributes;
}

/** As a path is written, part by part, since a target may be relative and hold `..` and empty parts. */
function formatTarget(target: string): string {
  const isPlain = (part: string) => part === '' || part === '.' || part === '..';
  const parts = target
    .split('/')
    .map((part) => (isPlain(part) ? part : formatBytePath(joinBytePath(ROOT, part)).slice(1)));
  return parts.join('/');
}

function readCapability(entry: UpperEntry): string | undefined {
  return entry.xattrs['security.capability']?.toString('hex');
}

function isOpaque(entry: UpperEntry): boolean {
  return entry.xattrs['trusted.overlay.opaque']?.toString('latin1') === 'y';
}
