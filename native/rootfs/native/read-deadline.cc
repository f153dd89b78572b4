#include "read-deadline.h"

#include <algorithm>
#include <chrono>

namespace rootfs {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMaxMilliseconds = uint64_t{1} << 40;

thread_local Clock::time_point deadline = Clock::time_point::max();

}  // namespace

void SetReadDeadline(uint64_t milliseconds_from_now) {
  deadline = milliseconds_from_now == 0
                 ? Clock::time_point::max()
                 : Clock::now() + std::chrono::milliseconds(std::min(milliseconds_from_now, kMaxMilliseconds));
}

Status CheckReadDeadline() {
  if (deadline == Clock::time_point::max() || Clock::now() < deadline) return {};
  return Status::Fail(Code::kLimit, 0, "clock_gettime");
}

}  // namespace rootfs
