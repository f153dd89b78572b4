#include "entry-content.h"

#include <fcntl.h>
#include <linux/fsverity.h>
#include <linux/limits.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "kernel.h"
#include "read-deadline.h"

namespace rootfs {

namespace {

constexpr size_t kBlockBytes = 256 * 1024;
constexpr uint64_t kReadBytes = 8 * 1024 * 1024;
constexpr size_t kSmallAnswer = 512;

// Per thread and kept: an OpenSSL context and a block cost more to make than a small file costs to hash.
struct HashTools {
  Sha256 sha256;
  std::unique_ptr<char[]> block{new char[kBlockBytes]};
};

HashTools& ThreadTools() {
  thread_local HashTools tools;
  return tools;
}

ssize_t ReadAt(int fd, void* into, size_t bytes, uint64_t offset) {
  ssize_t got;
  do {
    got = pread(fd, into, bytes, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  return got;
}

Status CheckUnmoved(int fd, const EntryStat& before) {
  Result<EntryStat> after = StatFd(fd);
  if (!after.ok()) return after.status;
  return after.value.SameContent(before) ? Status{} : Status::Fail(Code::kChanged, 0, "statx");
}

Status ReadError(ssize_t got) {
  return got == 0 ? Status::Fail(Code::kChanged, 0, "pread") : Status::Fail(Code::kSystem, errno, "pread");
}

Status ReadAll(int fd, uint64_t offset, char* into, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    Status in_time = CheckReadDeadline();
    if (!in_time.ok) return in_time;
    ssize_t got = ReadAt(fd, into + done, std::min(kReadBytes, bytes - done), offset + done);
    if (got <= 0) return ReadError(got);
    done += static_cast<uint64_t>(got);
  }
  return {};
}

// The kernel allocates as much as it is offered: offering little first is a third of the cost of a walk.
template <typename Call>
ssize_t Grow(Call call, size_t most) {
  ssize_t bytes = call(kSmallAnswer);
  return bytes < 0 && errno == ERANGE ? call(most) : bytes;
}

}  // namespace

Result<Hashed> HashEntry(const Entry& entry, uint64_t max_bytes) {
  if (entry.stat.type != EntryType::kFile) return Status::Fail(Code::kType, 0, "statx");
  if (entry.stat.size > max_bytes) return Status::Fail(Code::kLimit, 0, "statx");
  Result<UniqueFd> fd = ReopenFile(entry.fd.get());
  if (!fd.ok()) return fd.status;
  return HashOpened(fd.value.get(), entry.stat);
}

Result<Hashed> HashOpened(int fd, const EntryStat& stat) {
  HashTools& tools = ThreadTools();
  if (!tools.sha256.Begin()) return Status::Fail(Code::kUnsupported, 0, "EVP_DigestInit_ex");
  for (uint64_t at = 0; at < stat.size;) {
    Status in_time = CheckReadDeadline();
    if (!in_time.ok) return in_time;
    size_t want = static_cast<size_t>(std::min<uint64_t>(kBlockBytes, stat.size - at));
    ssize_t got = ReadAt(fd, tools.block.get(), want, at);
    if (got <= 0) return ReadError(got);
    if (!tools.sha256.Update(tools.block.get(), static_cast<size_t>(got))) {
      return Status::Fail(Code::kUnsupported, 0, "EVP_DigestUpdate");
    }
    at += static_cast<uint64_t>(got);
  }
  Hashed hashed = {{}, stat};
  if (!tools.sha256.Finish(&hashed.sha256)) return Status::Fail(Code::kUnsupported, 0, "EVP_DigestFinal_ex");
  Status unmoved = CheckUnmoved(fd, stat);
  if (!unmoved.ok) return unmoved;
  return hashed;
}

Result<ReadPlan> PlanRead(const Entry& entry, uint64_t max_bytes, uint64_t offset, int64_t length) {
  if (entry.stat.type != EntryType::kFile) return Status::Fail(Code::kType, 0, "statx");
  uint64_t rest = offset < entry.stat.size ? entry.stat.size - offset : 0;
  uint64_t bytes = length < 0 ? rest : std::min(rest, static_cast<uint64_t>(length));
  if (bytes > max_bytes) return Status::Fail(Code::kLimit, 0, "statx");
  Result<UniqueFd> fd = ReopenFile(entry.fd.get());
  if (!fd.ok()) return fd.status;
  return ReadPlan{std::move(fd.value), entry.stat, offset, bytes};
}

Status ReadPlanned(const ReadPlan& plan, void* into) {
  Status read = ReadAll(plan.fd.get(), plan.offset, static_cast<char*>(into), plan.bytes);
  return read.ok ? CheckUnmoved(plan.fd.get(), plan.stat) : read;
}

Status ReadRange(const ReadPlan& plan, uint64_t offset, std::string* part) {
  return ReadAll(plan.fd.get(), offset, part->data(), part->size());
}

Result<std::string> ReadHead(const Entry& entry, size_t bytes) {
  Result<UniqueFd> fd = ReopenFile(entry.fd.get());
  if (!fd.ok()) return fd.status;
  std::string head(bytes, '\0');
  ssize_t got = ReadAt(fd.value.get(), head.data(), bytes, 0);
  if (got < 0) return ReadError(got);
  head.resize(static_cast<size_t>(got));
  return head;
}

Result<std::vector<std::string>> ReadRanges(const Entry& entry, const std::vector<Range>& ranges, uint64_t max_bytes) {
  if (entry.stat.type != EntryType::kFile) return Status::Fail(Code::kType, 0, "statx");
  Result<UniqueFd> fd = ReopenFile(entry.fd.get());
  if (!fd.ok()) return fd.status;
  std::vector<std::string> parts;
  uint64_t room = max_bytes;
  for (const Range& range : ranges) {
    uint64_t rest = range.offset < entry.stat.size ? entry.stat.size - range.offset : 0;
    std::string part(static_cast<size_t>(std::min(rest, std::min(range.length, room + 1))), '\0');
    if (part.size() > room) return Status::Fail(Code::kLimit, 0, "statx");
    room -= part.size();
    Status read = ReadAll(fd.value.get(), range.offset, part.data(), part.size());
    if (!read.ok) return read;
    parts.push_back(std::move(part));
  }
  Status unmoved = CheckUnmoved(fd.value.get(), entry.stat);
  if (!unmoved.ok) return unmoved;
  return parts;
}

Result<std::string> ReadLinkFd(int link) {
  char target[PATH_MAX];
  ssize_t bytes = readlinkat(link, "", target, sizeof(target));
  if (bytes < 0) return Status::Fail(errno == ENOENT ? Code::kType : Code::kSystem, errno, "readlinkat");
  return std::string(target, static_cast<size_t>(bytes));
}

Result<std::string> GetXattr(XattrSource source, const std::string& name) {
  if (name.rfind("trusted.", 0) == 0 && !HasTrustedXattrs()) return Status::Fail(Code::kUnsupported, EPERM, "getxattr");
  thread_local char value[XATTR_SIZE_MAX];
  const std::string path = source.is_path_only ? ProcPath(source.fd) : "";
  auto get = [&](size_t size) {
    return source.is_path_only ? getxattr(path.c_str(), name.c_str(), value, size)
                               : fgetxattr(source.fd, name.c_str(), value, size);
  };
  ssize_t bytes = Grow(get, sizeof(value));
  if (bytes >= 0) return std::string(value, static_cast<size_t>(bytes));
  bool unset = errno == ENODATA || errno == EOPNOTSUPP;
  return Status::Fail(unset ? Code::kNotFound : Code::kSystem, errno, "getxattr");
}

Result<std::vector<std::string>> ListXattrs(XattrSource source) {
  thread_local char list[XATTR_LIST_MAX];
  const std::string path = source.is_path_only ? ProcPath(source.fd) : "";
  auto get = [&](size_t size) {
    return source.is_path_only ? listxattr(path.c_str(), list, size) : flistxattr(source.fd, list, size);
  };
  ssize_t bytes = Grow(get, sizeof(list));
  if (bytes < 0 && errno != EOPNOTSUPP) return Status::Fail(Code::kSystem, errno, "listxattr");
  std::vector<std::string> names;
  for (ssize_t at = 0; at < bytes;) {
    size_t size = strnlen(list + at, static_cast<size_t>(bytes - at));
    names.emplace_back(list + at, size);
    at += static_cast<ssize_t>(size) + 1;
  }
  return names;
}

Result<Verity> MeasureVerity(const Entry& entry) {
  if (entry.stat.type != EntryType::kFile) return Status::Fail(Code::kType, 0, "statx");
  Result<UniqueFd> fd = ReopenFile(entry.fd.get());
  if (!fd.ok()) return fd.status;
  constexpr size_t kMaxDigest = 64;
  alignas(fsverity_digest) char space[sizeof(fsverity_digest) + kMaxDigest] = {};
  auto* measured = reinterpret_cast<fsverity_digest*>(space);
  measured->digest_size = kMaxDigest;
  if (ioctl(fd.value.get(), FS_IOC_MEASURE_VERITY, measured) != 0) {
    bool none = errno == ENODATA || errno == ENOTTY || errno == EOPNOTSUPP;
    return Status::Fail(none ? Code::kNotFound : Code::kSystem, errno, "FS_IOC_MEASURE_VERITY");
  }
  size_t bytes = std::min<size_t>(measured->digest_size, kMaxDigest);
  return Verity{measured->digest_algorithm, std::string(space + sizeof(fsverity_digest), bytes)};
}

}  // namespace rootfs
