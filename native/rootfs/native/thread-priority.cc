#include "thread-priority.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace rootfs {

namespace {

// linux/ioprio.h, which older headers lack.
constexpr int kWhoProcess = 1;
constexpr int kClassShift = 13;
constexpr int kBestEffort = 2;
constexpr int kIdle = 3;
constexpr int kLowestLevel = 7;

}  // namespace

Status LowerThreadPriority(bool idle) {
  int priority = idle ? kIdle << kClassShift : (kBestEffort << kClassShift) | kLowestLevel;
  // Of a thread, although the names say process: 0 is the caller.
  if (syscall(SYS_ioprio_set, kWhoProcess, 0, priority) != 0) return Status::Fail(Code::kSystem, errno, "ioprio_set");
  return {};
}

}  // namespace rootfs
