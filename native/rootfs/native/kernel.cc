#include "kernel.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <cerrno>

namespace rootfs {

namespace {

constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// Held open, so that a later mount over /proc changes nothing. Never closed: threads may still use it at exit.
int OpenProcFds() {
  int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct statfs fs = {};
  if (fd >= 0 && (fstatfs(fd, &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)) {
    close(fd);
    return -1;
  }
  return fd;
}

int ProcFds() {
  static const int fd = OpenProcFds();
  return fd;
}

// O_NOATIME is allowed to the owner and to CAP_FOWNER only.
int OpenQuietly(int directory, const char* name, int flags) {
  int fd = openat(directory, name, flags | O_NOATIME);
  return fd < 0 && errno == EPERM ? openat(directory, name, flags) : fd;
}

}  // namespace

int OpenAt2(int directory, const char* path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  return static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof(how)));
}

bool HasOpenAt2() {
  static const bool works = [] {
    UniqueFd fd(
        OpenAt2(AT_FDCWD, "/", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV));
    return fd.valid();
  }();
  return works;
}

Result<UniqueFd> ReopenFile(int path_fd) {
  if (ProcFds() < 0) return Status::Fail(Code::kUnsupported, 0, "open /proc/self/fd");
  UniqueFd fd(OpenQuietly(ProcFds(), std::to_string(path_fd).c_str(), kReadFlags));
  if (fd.valid()) return fd;
  // A write lease on the file: its holder is changing it, and waiting for him is what O_NONBLOCK refuses.
  if (errno == EAGAIN) return Status::Fail(Code::kChanged, errno, "open");
  return Status::Fail(Code::kSystem, errno, "open");
}

Result<UniqueFd> ReopenDirectory(int path_fd) {
  UniqueFd fd(OpenQuietly(path_fd, ".", kReadFlags | O_DIRECTORY | O_NOFOLLOW));
  if (fd.valid()) return fd;
  return Status::Fail(errno == ENOENT ? Code::kNotFound : Code::kSystem, errno, "openat");
}

std::string ProcPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool HasTrustedXattrs() {
  static const bool works = [] {
    UniqueFd fd(memfd_create("rootfs-probe", MFD_CLOEXEC));
    return fd.valid() && fsetxattr(fd.get(), "trusted.probe", "1", 1, 0) == 0;
  }();
  return works;
}

}  // namespace rootfs
