#ifndef ROOTFS_STATUS_H_
#define ROOTFS_STATUS_H_

#include <cstdint>
#include <utility>

namespace rootfs {

// The kinds of failure, in the order that src/packed-lists.ts knows.
enum class Code : uint8_t { kSystem, kLimit, kChanged, kEscape, kNotFound, kType, kUnsupported, kClosed };

// Outcome of a call. `error` is an errno or 0; `call` is a literal that names what failed.
struct Status {
  bool ok = true;
  Code code = Code::kSystem;
  int error = 0;
  const char* call = "";

  static Status Fail(Code code, int error, const char* call) { return Status{false, code, error, call}; }
};

template <typename T>
struct Result {
  Status status;
  T value{};

  Result(T made) : value(std::move(made)) {}
  Result(Status failed) : status(failed) {}
  bool ok() const { return status.ok; }
};

}  // namespace rootfs

#endif  // ROOTFS_STATUS_H_
