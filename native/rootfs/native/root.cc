#include "root.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>

#include "kernel.h"

namespace rootfs {

namespace {

constexpr uint64_t kPathFlags = O_PATH | O_NOFOLLOW;
constexpr uint64_t kListFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
constexpr uint64_t kInRoot = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr size_t kChunkBytes = 3900;  // below PATH_MAX, which bounds one system call and not the depth of a tree
constexpr int kMaxRaces = 128;

Status FromOpenError(int error, bool follow_parents) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return Status::Fail(Code::kNotFound, error, "openat2");
    case EXDEV:
      return Status::Fail(Code::kEscape, error, "openat2");
    case ELOOP:
      return Status::Fail(follow_parents ? Code::kEscape : Code::kNotFound, error, "openat2");
    case EAGAIN:
      return Status::Fail(Code::kChanged, error, "openat2");
    default:
      return Status::Fail(Code::kSystem, error, "openat2");
  }
}

// The kernel answers EAGAIN when a rename anywhere may have moved a `..` of a link out of the root: try again.
int OpenPatiently(int directory, const std::string& path, uint64_t flags, uint64_t resolve) {
  int fd = -1;
  for (int tries = 0; tries < kMaxRaces; tries++) {
    fd = OpenAt2(directory, path.c_str(), flags, resolve);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd;
}

std::string Join(const std::vector<std::string_view>& parts, size_t from, size_t to) {
  std::string path;
  for (size_t i = from; i < to; i++) {
    if (!path.empty()) path += '/';
    path += parts[i];
  }
  return path.empty() ? "." : path;
}

}  // namespace

std::vector<std::string_view> SplitPath(std::string_view path) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  while (at < path.size()) {
    size_t end = path.find('/', at);
    if (end == std::string_view::npos) end = path.size();
    std::string_view part = path.substr(at, end - at);
    if (!part.empty() && part != ".") parts.push_back(part);
    at = end + 1;
  }
  return parts;
}

Result<Root> Root::Open(const std::string& path, bool follow_parents) {
  Root root;
  root.fd_.Reset(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.fd_.valid()) {
    bool missing = errno == ENOENT || errno == ENOTDIR;
    return Status::Fail(missing ? Code::kNotFound : Code::kSystem, errno, "open");
  }
  Result<EntryStat> stat = StatFd(root.fd_.get());
  if (!stat.ok()) return stat.status;
  root.identity_ = stat.value.identity;
  root.follow_parents_ = follow_parents;
  return root;
}

Result<Entry> Root::Find(std::string_view path) const {
  std::vector<std::string_view> parts = SplitPath(path);
  Result<UniqueFd> fd = !HasOpenAt2()               ? OpenByParts(fd_.get(), identity_, parts, follow_parents_)
                        : path.size() < kChunkBytes ? OpenWhole(parts, kPathFlags)
                                                    : OpenInChunks(parts);
  if (!fd.ok()) return fd.status;
  Result<EntryStat> stat = StatFd(fd.value.get());
  if (!stat.ok()) return stat.status;
  // The last part may be a mount point even where the walk to it stayed: a file mounted over a file.
  if (!stat.value.identity.SameMount(identity_)) return Status::Fail(Code::kEscape, EXDEV, "statx");
  return Entry{std::move(fd.value), stat.value};
}

Result<Entry> Root::Find(std::string_view path, EntryType type) const {
  Result<Entry> entry = Find(path);
  if (entry.ok() && entry.value.stat.type != type) return Status::Fail(Code::kType, 0, "statx");
  return entry;
}

Result<Entry> Root::FindName(int directory, const std::string& name) const {
  UniqueFd fd(openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return FromOpenError(errno, false);
  Result<EntryStat> stat = StatFd(fd.get());
  if (!stat.ok()) return stat.status;
  if (!stat.value.identity.SameMount(identity_)) return Status::Fail(Code::kEscape, EXDEV, "statx");
  return Entry{std::move(fd), stat.value};
}

Result<Entry> Root::OpenDirectory(std::string_view path) const {
  if (!HasOpenAt2() || path.size() >= kChunkBytes) {
    Result<Entry> entry = Find(path, EntryType::kDirectory);
    if (!entry.ok()) return entry;
    Result<UniqueFd> fd = ReopenDirectory(entry.value.fd.get());
    if (!fd.ok()) return fd.status;
    return Entry{std::move(fd.value), entry.value.stat};
  }
  Result<UniqueFd> fd = OpenToList(path);
  if (!fd.ok()) return fd.status;
  Result<EntryStat> stat = StatFd(fd.value.get());
  if (!stat.ok()) return stat.status;
  if (!stat.value.identity.SameMount(identity_)) return Status::Fail(Code::kEscape, EXDEV, "statx");
  return Entry{std::move(fd.value), stat.value};
}

Result<UniqueFd> Root::OpenToList(std::string_view path) const {
  if (!HasOpenAt2() || path.size() >= kChunkBytes) {
    Result<Entry> entry = OpenDirectory(path);
    if (!entry.ok()) return entry.status;
    return std::move(entry.value.fd);
  }
  const std::vector<std::string_view> parts = SplitPath(path);
  Result<UniqueFd> fd = OpenWhole(parts, kListFlags | O_NOATIME);
  // O_NOATIME is allowed to the owner and to CAP_FOWNER only.
  return !fd.ok() && fd.status.error == EPERM ? OpenWhole(parts, kListFlags) : std::move(fd);
}

Result<UniqueFd> Root::OpenToList(int directory, const std::string& name) const {
  if (!HasOpenAt2()) return Status::Fail(Code::kUnsupported, 0, "openat2");
  int fd = OpenPatiently(directory, name, kListFlags | O_NOATIME, kBeneath);
  if (fd < 0 && errno == EPERM) fd = OpenPatiently(directory, name, kListFlags, kBeneath);
  if (fd < 0) return FromOpenError(errno, false);
  return UniqueFd(fd);
}

Result<UniqueFd> Root::OpenWhole(const std::vector<std::string_view>& parts, uint64_t flags) const {
  uint64_t resolve = kInRoot | (follow_parents_ ? 0 : RESOLVE_NO_SYMLINKS);
  std::string path = Join(parts, 0, parts.size());
  int fd = OpenPatiently(fd_.get(), path, flags, resolve);
  if (fd < 0) return FromOpenError(errno, follow_parents_);
  return UniqueFd(fd);
}

Result<UniqueFd> Root::OpenInChunks(const std::vector<std::string_view>& parts) const {
  UniqueFd directory(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!directory.valid()) return Status::Fail(Code::kSystem, errno, "fcntl");
  size_t from = 0;
  while (from < parts.size()) {
    size_t to = from;
    for (size_t bytes = 0; to < parts.size() && bytes + parts[to].size() < kChunkBytes; to++) {
      bytes += parts[to].size() + 1;
    }
    if (to == from) return Status::Fail(Code::kNotFound, ENAMETOOLONG, "openat2");
    bool last = to == parts.size();
    // A link met here would have to be resolved against the root, which this descriptor is not: refuse all links.
    int fd = OpenPatiently(directory.get(), Join(parts, from, to), kPathFlags | (last ? 0 : O_DIRECTORY), kBeneath);
    if (fd < 0) return FromOpenError(errno, false);
    directory.Reset(fd);
    from = to;
  }
  return directory;
}

}  // namespace rootfs
