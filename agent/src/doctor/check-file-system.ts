import type { RootfsCapabilities, RootfsCapability } from '@holdfast/rootfs';
import { failed, type HostCheck, passed, weakened } from './host-check.ts';

/** Judges what the native reader found of the file system that holds the layers of containers. */
export function checkFileSystem(found: RootfsCapabilities): HostCheck[] {
  return [
    judge('fs.openat2', found.openat2, {
      fix: 'run Linux 5.6 or later, and allow openat2 in the seccomp profile',
      loses: 'paths are opened part by part, which is slower and equally strict',
    }),
    checkTrustedXattrs(found.trustedXattrs),
    judge('fs.fanotify', found.fanotify, {
      fix: 'run as root on Linux 5.9 or later; allow fanotify_init and fanotify_mark in the seccomp profile',
      loses: 'changes are found by looking once a second',
    }),
    judge('fs.verity', found.verity, {
      fix: 'use ext4, f2fs or btrfs with the verity feature (tune2fs -O verity)',
      loses: 'fs-verity digests are not read; nothing else depends on them',
    }),
  ];
}

function judge(
  id: string,
  { works, detail }: RootfsCapability,
  otherwise: { readonly fix: string; readonly loses: string },
): HostCheck {
  return works ? passed(id, detail) : weakened(id, `${detail}; ${otherwise.loses}`, otherwise.fix);
}

/** Opaque directories are told by these alone: without them a hidden directory would look like an unchanged one. */
function checkTrustedXattrs({ works, detail }: RootfsCapability): HostCheck {
  const id = 'fs.trustedXattrs';
  if (works) return passed(id, detail);
  return failed(id, `${detail}: upper directories cannot be read`, 'run it as root in the first user namespace');
}
