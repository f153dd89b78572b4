import { EvidenceError } from '@holdfast/evidence/documents';

/** One line of /proc/PID/mountinfo. Texts are bytes as latin1, with the kernel's octal escapes undone. */
export interface MountInfo {
  readonly id: number;
  readonly parentId: number;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Directory of the mounted file system that shows here; `/` unless it is a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly readonly: boolean;
  readonly fsType: string;
  readonly source: string;
  /** Options of the file system, escapes still in place: split them before undoing those. */
  readonly superOptions: string;
}

const MAX_LINES = 100_000;

/**
 * Parses /proc/PID/mountinfo (proc(5)). The kernel wrote it, but a container chose many of its words: a line that is not
 * of the known form throws `EvidenceError`, so that nothing is judged from half a table. Returns the mounts in the order of the file.
 */
export function parseMountinfo(bytes: Buffer): MountInfo[] {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MAX_LINES) throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'mount table: too many lines');
  return lines.map(parseLine);
}

function parseLine(line: string): MountInfo {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parentId, device, root, mountPoint, options] = fields;
  const [fsType, source, superOptions] = fields.slice(separator + 1);
  if (separator === -1 || !device || !root || !mountPoint || !options || fsType === undefined || source === undefined) {
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'mount table: a line has too few fields');
  }
  const [devMajor, devMinor] = device.split(':');
  return {
    id: parseNumber(id),
    parentId: parseNumber(parentId),
    devMajor: parseNumber(devMajor),
    devMinor: parseNumber(devMinor),
    root: decodeOctal(root),
    mountPoint: decodeOctal(mountPoint),
    readonly: options.split(',').includes('ro'),
    fsType: decodeOctal(fsType),
    source: decodeOctal(source),
    superOptions: superOptions ?? '',
  };
}

function parseNumber(text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text))
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'mount table: a number is malformed');
  return Number(text);
}

/** Undoes the kernel's `\ooo`. Every other backslash is the text's own. */
export function decodeOctal(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
