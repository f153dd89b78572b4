export const CAPABILITY = 'security.capability';
export const OVERLAY_PREFIX = 'trusted.overlay.';

/** What a layer's tar may set and an unpacker applies. Others (SELinux, IMA) belong to the host. */
const COMPARED_XATTRS = [CAPABILITY, 'user.*', 'system.posix_acl_access', 'system.posix_acl_default'];

/** Attributes that a walk has to read for a comparison. */
export const WALKED_XATTRS: readonly string[] = [...COMPARED_XATTRS, `${OVERLAY_PREFIX}*`];

/** Whether a layer decides on an extended attribute. */
export function isComparedXattr(name: string): boolean {
  return COMPARED_XATTRS.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}
