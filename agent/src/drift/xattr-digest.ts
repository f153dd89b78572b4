import { createHash } from 'node:crypto';

type Xattrs = Readonly<Record<string, Buffer>>;

const SHOWN = /^(?:user\.|system\.posix_acl_(?:access|default)$|trusted\.)/;
/** Notes of overlayfs itself; a name that a container sets below them reaches the disk with one more `overlay.` in it. */
const OVERLAY_NOTES = /^trusted\.overlay\.(?!overlay\.|protattr$)/;

/**
 * SHA-256 (hex) over the extended attributes that a container sees and that are not told by themselves: ACLs, `user.*`,
 * `trusted.*`, immutable and append-only flags as overlayfs keeps them. Undefined where there is none.
 *
 * Left out are security.capability, which is told as it is, and the labels of security modules, which are the host's.
 */
export function digestXattrs(xattrs: Xattrs): string | undefined {
  const names = Object.keys(xattrs).filter((name) => SHOWN.test(name) && !OVERLAY_NOTES.test(name));
  if (names.length === 0) return undefined;
  const rows = names.sort().map((name) => `${name}\0${xattrs[name]?.toString('hex') ?? ''}\n`);
  return createHash('sha256').update(rows.join(''), 'latin1').digest('hex');
}
