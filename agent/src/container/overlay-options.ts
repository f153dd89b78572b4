import { EvidenceError } from '@holdfast/evidence';
import { decodeOctal } from './mountinfo.ts';

/** Directories and features of one overlay mount. Paths are latin1 and may be relative to the mounter's directory. */
export interface OverlayOptions {
  /** Top first, as the kernel lists them. */
  readonly lowers: readonly string[];
  readonly upper: string | undefined;
  /** Features that change what lies in the directories, and that are not read here; none of them is on by default. */
  readonly unsupported: readonly string[];
}

const UNSUPPORTED_FLAGS = new Set(['userxattr', 'metacopy=on', 'redirect_dir=on', 'redirect_dir=follow']);

/**
 * Parses the options of an overlay mount as mountinfo shows them: `lowerdir=` with colons and their escapes, or one
 * `lowerdir+=` for each layer as the new mount API shows them. Octal escapes are undone after splitting.
 */
export function parseOverlayOptions(superOptions: string): OverlayOptions {
  return collectOptions(superOptions.split(',').map(decodeOctal));
}

/** The same for options that come as a list, such as the runtime's own. */
export function collectOptions(options: readonly string[]): OverlayOptions {
  const lowers: string[] = [];
  const unsupported: string[] = [];
  let upper: string | undefined;
  for (const option of options) {
    const [key, value] = splitOption(option);
    if (key === 'lowerdir') lowers.push(...splitLowers(value, unsupported));
    else if (key === 'lowerdir+') lowers.push(value);
    else if (key === 'upperdir') upper = unescapeColons(value);
    else if (key === 'datadir+') unsupported.push('dataOnlyLower');
    else if (key === 'uidmap' || key === 'gidmap') unsupported.push('idmappedLower');
    else if (UNSUPPORTED_FLAGS.has(option)) unsupported.push(option.replace(/=.*/, ''));
  }
  return { lowers, upper, unsupported: [...new Set(unsupported)] };
}

function splitOption(option: string): [string, string] {
  const at = option.indexOf('=');
  return at === -1 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
}

function splitLowers(value: string, unsupported: string[]): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at] ?? '';
    if (character === '\\' && at + 1 < value.length) {
      at += 1;
      part += value[at] ?? '';
    } else if (character === ':') {
      parts.push(part);
      part = '';
    } else part += character;
  }
  parts.push(part);
  // Two colons in a row start the data-only layers, which no merge by name shows.
  if (parts.includes('')) unsupported.push('dataOnlyLower');
  return parts.filter((text) => text !== '');
}

function unescapeColons(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}

/**
 * Makes the lower directories of a mount absolute. containerd mounts images of many layers from within the directory
 * of its snapshots, so that the kernel shows `84/fs:83/fs`; the upper directory of the same mount is absolute and lies
 * beside them. Throws `EvidenceError` where that does not say which directory is meant.
 */
export function resolveLowers(options: Pick<OverlayOptions, 'lowers' | 'upper'>): string[] {
  return options.lowers.map((lower) => {
    if (lower.startsWith('/')) return lower;
    const base = options.upper?.split('/').slice(0, -2).join('/');
    if (!base?.startsWith('/'))
      throw new EvidenceError(
        'ERR_EVIDENCE_MALFORMED',
        'overlay options: a relative lower directory has nothing to start from',
      );
    if (lower.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'overlay options: a relative lower directory is not plain');
    }
    return `${base}/${lower}`;
  });
}
