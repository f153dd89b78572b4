#include "directory-names.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "entry-stat.h"
#include "read-deadline.h"

namespace rootfs {

namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kMaxBytes = UINT32_MAX - 4096;
constexpr size_t kNameAt = offsetof(dirent64, d_name);

}  // namespace

std::string_view DirectoryNames::operator[](size_t index) const {
  const Span& span = spans_[index];
  return std::string_view(bytes_.data() + span.at, span.bytes);
}

void DirectoryNames::Add(std::string_view name, uint8_t type, uint64_t ino) {
  spans_.push_back({ino, static_cast<uint32_t>(bytes_.size()), static_cast<uint16_t>(name.size()), type});
  bytes_ += name;
}

void DirectoryNames::Sort() {
  // string_view compares as unsigned bytes, which is the order promised.
  auto text = [this](const Span& span) { return std::string_view(bytes_.data() + span.at, span.bytes); };
  std::sort(spans_.begin(), spans_.end(), [&](const Span& a, const Span& b) { return text(a) < text(b); });
}

bool DirectoryNames::Holds(std::string_view name, uint64_t ino) const {
  size_t from = 0;
  for (size_t to = size(); from < to;) {
    size_t middle = from + (to - from) / 2;
    if ((*this)[middle] < name) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from < size() && (*this)[from] == name && InoAt(from) == ino;
}

std::string DirectoryNames::Pack() const {
  std::string packed;
  packed.reserve(bytes_.size() + 2 * spans_.size());
  for (size_t i = 0; i < spans_.size(); i++) {
    AppendInteger(static_cast<uint16_t>(spans_[i].bytes), &packed);
    packed += (*this)[i];
  }
  return packed;
}

Result<DirectoryNames> ReadNames(int directory, uint64_t max_entries) {
  alignas(dirent64) thread_local char buffer[kBufferBytes];
  DirectoryNames names;
  for (;;) {
    Status in_time = CheckReadDeadline();
    if (!in_time.ok) return in_time;
    long got = syscall(SYS_getdents64, directory, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    // A directory that was removed after it was opened has no names any more.
    if (got == 0 || (got < 0 && errno == ENOENT)) return names;
    if (got < 0) return Status::Fail(Code::kSystem, errno, "getdents64");
    for (size_t at = 0; at + kNameAt < static_cast<size_t>(got);) {
      unsigned short record = 0;
      uint64_t ino = 0;
      std::memcpy(&record, buffer + at + offsetof(dirent64, d_reclen), sizeof(record));
      std::memcpy(&ino, buffer + at + offsetof(dirent64, d_ino), sizeof(ino));
      if (record <= kNameAt || at + record > static_cast<size_t>(got)) {
        return Status::Fail(Code::kSystem, EIO, "getdents64");
      }
      std::string_view name(buffer + at + kNameAt, strnlen(buffer + at + kNameAt, record - kNameAt));
      const size_t type_at = at + offsetof(dirent64, d_type);
      at += record;
      if (name == "." || name == "..") continue;
      // A file system in user space could put a path where a name belongs.
      if (name.empty() || name.find('/') != std::string_view::npos)
        return Status::Fail(Code::kSystem, EIO, "getdents64");
      if (names.size() >= max_entries || names.bytes() > kMaxBytes) return Status::Fail(Code::kLimit, 0, "getdents64");
      names.Add(name, static_cast<uint8_t>(buffer[type_at]), ino);
    }
  }
}

}  // namespace rootfs
