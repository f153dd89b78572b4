import type { Drift, DriftAttributes, DriftEntry } from '@holdfast/evidence';
import type { PackageDelta } from './delta-inventories.ts';
import { createFinding, type Finding } from './finding.ts';
import type { FindingCode } from './finding-code.ts';

/** Reasons of the classification by which an entry is code. */
const CODE_REASONS: ReadonlySet<string> = new Set([
  'executable',
  'elf',
  'script',
  'bytecode',
  'interpretedCode',
  'sharedObject',
  'programLink',
]);
/** Reasons that decide alone, whatever happened to the path, in this order. */
const PLACE_CODES: readonly (readonly [reason: string, code: FindingCode])[] = [
  ['packageDatabase', 'PACKAGE_DATABASE_MODIFIED'],
  ['preload', 'PRELOAD_CONFIGURED'],
  ['certificateStore', 'CA_STORE_MODIFIED'],
  ['scheduledTask', 'AUTOSTART_CHANGED'],
  ['serviceUnit', 'AUTOSTART_CHANGED'],
  ['shellStartup', 'AUTOSTART_CHANGED'],
  ['credentials', 'CREDENTIALS_CHANGED'],
];
const SPECIAL_TYPES: ReadonlySet<DriftEntry['entryType']> = new Set(['char', 'block', 'fifo', 'socket']);
const SETID_BITS = 0o6000;

/** Findings for each relevant difference between the running root file system and its image. */
export function appraiseDrift(drift: Drift): Finding[] {
  return drift.relevant.flatMap((entry) => {
    const unreadable: FindingCode[] = entry.reasons.includes('unreadable') ? ['ENTRY_UNREADABLE'] : [];
    const codes = new Set([...unreadable, ...privilegeCodes(entry), ...contentCodes(entry)]);
    return [...codes].map((code) => toFinding(code, entry));
  });
}

/** Findings for each package that differs between the lower layers and the merged view. */
export function appraisePackageDelta(delta: PackageDelta): Finding[] {
  return [
    ...delta.added.map(({ purl, path, version }) => createFinding('PACKAGE_ADDED', { purl, path, actual: version })),
    ...delta.changed.map(({ purl, path, from, to }) =>
      createFinding('PACKAGE_CHANGED', { purl, path, expected: from, actual: to }),
    ),
    ...delta.removed.map(({ purl, path, version }) =>
      createFinding('PACKAGE_REMOVED', { purl, path, expected: version }),
    ),
  ];
}

/** Codes for privileges that an entry gained, whatever else happened to it. */
function privilegeCodes({ before, after, entryType }: DriftEntry): FindingCode[] {
  // On a directory the bits give no privilege to anything that is run.
  if (after === undefined || entryType !== 'file') return [];
  const gainedBits = (setIdBits(after) & ~setIdBits(before)) !== 0;
  const hasOtherOwner = after.uid !== before?.uid || after.gid !== before?.gid;
  const gainedCapability = after.capability !== undefined && after.capability !== before?.capability;
  return gainedBits || gainedCapability || (setIdBits(after) !== 0 && hasOtherOwner) ? ['SETUID_ADDED'] : [];
}

function setIdBits(attributes: DriftAttributes | undefined): number {
  return attributes === undefined ? 0 : Number.parseInt(attributes.mode, 8) & SETID_BITS;
}

function contentCodes(entry: DriftEntry): FindingCode[] {
  if (entry.kind === 'opaque' || hidesDirectory(entry)) return ['DIRECTORY_REPLACED'];
  if (entry.kind === 'attributes') {
    return privilegeCodes(entry).length > 0 ? [] : [findPlaceCode(entry) ?? 'ATTRIBUTES_CHANGED'];
  }
  const place = findPlaceCode(entry);
  if (place !== undefined) return [place];
  switch (entry.kind) {
    case 'added':
      return [addedCode(entry)];
    case 'modified':
      return [modifiedCode(entry)];
    case 'removed':
      return [removedCode(entry)];
  }
}

/** Something that is no directory stands where the image has one. */
function hidesDirectory({ kind, reasons }: DriftEntry): boolean {
  return kind === 'modified' && reasons.includes('opaque');
}

function findPlaceCode({ reasons }: DriftEntry): FindingCode | undefined {
  return PLACE_CODES.find(([reason]) => reasons.includes(reason))?.[1];
}

function addedCode(entry: DriftEntry): FindingCode {
  if (SPECIAL_TYPES.has(entry.entryType)) return 'SPECIAL_FILE_ADDED';
  if (entry.entryType === 'directory') return 'DIRECTORY_ADDED';
  if (isCode(entry)) return 'EXECUTABLE_ADDED';
  return isConfig(entry) ? 'CONFIG_MODIFIED' : 'FILE_ADDED';
}

function modifiedCode(entry: DriftEntry): FindingCode {
  if (isConfig(entry) && !isCode(entry)) return 'CONFIG_MODIFIED';
  if (entry.ownedBy !== undefined) return 'OWNED_FILE_MODIFIED';
  return isCode(entry) ? 'EXECUTABLE_MODIFIED' : 'IMAGE_FILE_MODIFIED';
}

function removedCode(entry: DriftEntry): FindingCode {
  if (isConfig(entry)) return 'CONFIG_MODIFIED';
  return entry.ownedBy === undefined ? 'IMAGE_FILE_REMOVED' : 'OWNED_FILE_REMOVED';
}

/** Whether the classification takes an entry for code. */
export function isCode({ reasons }: DriftEntry): boolean {
  return reasons.some((reason) => CODE_REASONS.has(reason));
}

function isConfig({ path }: DriftEntry): boolean {
  return path.startsWith('/etc/');
}

function toFinding(code: FindingCode, entry: DriftEntry): Finding {
  const usesAttributes = code === 'ATTRIBUTES_CHANGED' || code === 'SETUID_ADDED';
  const describe = usesAttributes ? describeAttributes : describeContent;
  return createFinding(code, {
    path: entry.path,
    purl: entry.ownedBy,
    expected: describe(entry.before),
    actual: describe(entry.after),
  });
}

function describeContent(attributes: DriftAttributes | undefined): string | undefined {
  return attributes?.sha256 ?? attributes?.target ?? (attributes?.rdev && `device ${attributes.rdev}`);
}

function describeAttributes(attributes: DriftAttributes | undefined): string | undefined {
  if (attributes === undefined) return undefined;
  const { mode, uid, gid, capability, xattrs } = attributes;
  const parts = [`mode ${mode}`, `owner ${uid}:${gid}`];
  if (capability !== undefined) parts.push(`capability ${capability}`);
  if (xattrs !== undefined) parts.push(`xattrs ${xattrs}`);
  return parts.join(', ');
}
