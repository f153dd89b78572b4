#ifndef ROOTFS_KERNEL_H_
#define ROOTFS_KERNEL_H_

#include <cstdint>
#include <string>

#include "status.h"
#include "unique-fd.h"

namespace rootfs {

// openat2 as a call that glibc lacks. Returns a descriptor or -1 with errno.
int OpenAt2(int directory, const char* path, uint64_t flags, uint64_t resolve);

// Whether openat2 works in this process; tried once. Seccomp may answer ENOSYS or EPERM.
bool HasOpenAt2();

// Opens for reading what an O_PATH descriptor stands for: that object and no other, whatever its name means by now. The
// caller has seen that it is a regular file. O_NONBLOCK, and O_NOATIME where the kernel permits.
Result<UniqueFd> ReopenFile(int path_fd);

// Opens a directory for getdents from an O_PATH descriptor of it.
Result<UniqueFd> ReopenDirectory(int path_fd);

// The name of a descriptor in /proc, for calls that take no O_PATH descriptor.
std::string ProcPath(int fd);

// Whether this process sees and may read trusted.* attributes; tried once on a file in memory.
bool HasTrustedXattrs();

}  // namespace rootfs

#endif  // ROOTFS_KERNEL_H_
