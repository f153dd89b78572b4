#include "capabilities.h"

#include <fcntl.h>
#include <linux/fsverity.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "entry-stat.h"
#include "kernel.h"
#include "unique-fd.h"

namespace rootfs {

namespace {

std::string Failed(const char* call) { return std::string(call) + ": " + std::strerror(errno); }

Capability ProbeOpenAt2() {
  bool works = HasOpenAt2();
  return {"openat2", works,
          works ? "paths are opened by openat2" : "refused by the kernel: paths are opened part by part"};
}

Capability ProbeMountIds(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  Result<EntryStat> stat =
      fd.valid() ? StatFd(fd.get()) : Result<EntryStat>(Status::Fail(Code::kSystem, errno, "open"));
  if (!stat.ok()) return {"mountIds", false, std::string(stat.status.call) + ": " + std::strerror(stat.status.error)};
  bool works = stat.value.identity.has_mount_id;
  return {"mountIds", works, works ? "statx tells mounts apart" : "statx has no mount ids: mounts are told by device"};
}

Capability ProbeTrustedXattrs() {
  bool works = HasTrustedXattrs();
  return {"trustedXattrs", works, works ? "trusted.* is readable" : "needs CAP_SYS_ADMIN in the first user namespace"};
}

// Asks for all that a watch needs: the mark, and opening by handle.
Capability ProbeFanotify(const std::string& path) {
  UniqueFd fanotify(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY));
  if (!fanotify.valid()) return {"fanotify", false, Failed("fanotify_init")};
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY));
  if (!fd.valid()) return {"fanotify", false, Failed("open")};
  if (fanotify_mark(fanotify.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_DELETE, fd.get(), nullptr) != 0) {
    return {"fanotify", false, Failed("fanotify_mark")};
  }
  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = new (space) file_handle;
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(fd.get(), "", handle, &mount_id, AT_EMPTY_PATH) != 0) {
    return {"fanotify", false, Failed("name_to_handle_at")};
  }
  UniqueFd again(open_by_handle_at(fd.get(), handle, O_PATH | O_CLOEXEC));
  if (!again.valid()) return {"fanotify", false, Failed("open_by_handle_at")};
  return {"fanotify", true, "a mark on the whole file system works"};
}

Capability ProbeVerity(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY));
  if (!fd.valid()) return {"verity", false, Failed("open")};
  fsverity_digest digest = {};
  bool works = ioctl(fd.get(), FS_IOC_MEASURE_VERITY, &digest) == 0 || errno == ENODATA || errno == EOVERFLOW;
  return {"verity", works, works ? "the file system has fs-verity" : Failed("FS_IOC_MEASURE_VERITY")};
}

}  // namespace

std::vector<Capability> ProbeCapabilities(const std::string& path) {
  return {ProbeOpenAt2(), ProbeMountIds(path), ProbeTrustedXattrs(), ProbeFanotify(path), ProbeVerity(path)};
}

}  // namespace rootfs
