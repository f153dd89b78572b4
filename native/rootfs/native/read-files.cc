#include "read-files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "entry-stat.h"
#include "unique-fd.h"

namespace rootfs {

namespace {

constexpr size_t kChunkBytes = 16 * 1024;
constexpr uint32_t kUnread = UINT32_MAX;

// Never waits for another side of what is opened.
UniqueFd OpenRegular(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat stat = {};
  if (!fd.valid() || fstat(fd.get(), &stat) != 0 || !S_ISREG(stat.st_mode)) return UniqueFd();
  return fd;
}

// Appends what is left of a file; false where it cannot be read or is longer.
bool AppendRest(int fd, size_t max_bytes, std::string* out) {
  char chunk[kChunkBytes];
  for (size_t left = max_bytes + 1; left > 0;) {
    ssize_t got = read(fd, chunk, std::min(left, sizeof(chunk)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    out->append(chunk, static_cast<size_t>(got));
    left -= static_cast<size_t>(got);
  }
  return false;
}

}  // namespace

std::string ReadFiles(const std::vector<std::string>& paths, size_t max_bytes) {
  std::string packed;
  for (const std::string& path : paths) {
    const size_t at = packed.size();
    AppendInteger(kUnread, &packed);
    const size_t start = packed.size();
    UniqueFd fd = OpenRegular(path);
    if (!fd.valid()) continue;
    if (!AppendRest(fd.get(), max_bytes, &packed)) {
      packed.resize(start);
      continue;
    }
    std::string length;
    AppendInteger(static_cast<uint32_t>(packed.size() - start), &length);
    packed.replace(at, length.size(), length);
  }
  return packed;
}

}  // namespace rootfs
