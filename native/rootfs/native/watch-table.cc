#include "watch-table.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "entry-stat.h"
#include "kernel.h"

namespace rootfs {

namespace {

// Levels climbed between two looks: few looks where names are short, and with the last no step past the watched
// directory.
constexpr int kClimbSteps[] = {1024, 128, 16, 1};
constexpr int kMaxClimb = 1 << 16;
constexpr std::string_view kDeleted = " (deleted)";

// The path of a descriptor as the kernel names it. Empty where it is too long for one answer.
std::string NameOf(int fd) {
  char path[PATH_MAX];
  ssize_t bytes = readlink(ProcPath(fd).c_str(), path, sizeof(path));
  if (bytes <= 0 || path[0] != '/') return "";
  std::string_view name(path, static_cast<size_t>(bytes));
  bool marked = name.size() > kDeleted.size() && name.substr(name.size() - kDeleted.size()) == kDeleted;
  struct stat stat = {};
  // A directory may really be called so; one that was removed has no link left.
  if (marked && fstat(fd, &stat) == 0 && stat.st_nlink == 0) name.remove_suffix(kDeleted.size());
  return std::string(name);
}

// An ancestor that has a name short enough to be told, at most `step` levels above the nearest.
std::string NameOfAncestor(int start, int step) {
  std::string path;
  for (int i = 0; i < step; i++) path += "../";
  UniqueFd fd;
  for (int up = 0; up < kMaxClimb; up += step) {
    UniqueFd next(openat(fd.valid() ? fd.get() : start, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!next.valid()) return "";
    fd = std::move(next);
    std::string name = NameOf(fd.get());
    if (!name.empty()) return name;
  }
  return "";
}

UniqueFd OpenHandle(int mount_fd, std::string_view handle) {
  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ];
  if (handle.size() < sizeof(file_handle) || handle.size() > sizeof(space)) return UniqueFd();
  std::memcpy(space, handle.data(), handle.size());
  return UniqueFd(open_by_handle_at(mount_fd, reinterpret_cast<file_handle*>(space), O_PATH | O_CLOEXEC));
}

}  // namespace

Result<std::shared_ptr<const WatchTable>> WatchTable::With(const std::string& path, uint32_t id) const {
  auto mount = std::make_shared<WatchedMount>();
  mount->fd.Reset(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!mount->fd.valid()) {
    bool missing = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    return Status::Fail(missing ? Code::kNotFound : Code::kSystem, errno, "open");
  }
  struct statfs fs = {};
  if (fstatfs(mount->fd.get(), &fs) != 0) return Status::Fail(Code::kSystem, errno, "fstatfs");
  static_assert(sizeof(fs.f_fsid) == sizeof(mount->fsid));
  std::memcpy(&mount->fsid, &fs.f_fsid, sizeof(mount->fsid));
  Result<EntryStat> stat = StatFd(mount->fd.get());
  if (!stat.ok()) return stat.status;
  mount->mount_id = stat.value.identity.mount_id;
  std::string name = NameOf(mount->fd.get());
  if (name.empty()) return Status::Fail(Code::kSystem, ENAMETOOLONG, "readlink");
  if (name == "/") name.clear();
  auto table = std::make_shared<WatchTable>(*this);
  for (const WatchedDirectory& other : directories_) {
    if (other.mount->fsid == mount->fsid && other.mount->mount_id == mount->mount_id) mount = other.mount;
  }
  table->directories_.push_back({id, std::move(name), std::move(mount)});
  // Longest path first: of nested watched directories the inner one gets the event.
  std::stable_sort(table->directories_.begin(), table->directories_.end(),
                   [](const auto& a, const auto& b) { return a.path.size() > b.path.size(); });
  return std::shared_ptr<const WatchTable>(std::move(table));
}

std::shared_ptr<const WatchTable> WatchTable::Without(uint32_t id) const {
  auto table = std::make_shared<WatchTable>();
  for (const WatchedDirectory& directory : directories_) {
    if (directory.id != id) table->directories_.push_back(directory);
  }
  return table;
}

const WatchedDirectory* WatchTable::Find(uint32_t id) const {
  for (const WatchedDirectory& directory : directories_) {
    if (directory.id == id) return &directory;
  }
  return nullptr;
}

bool WatchTable::HasFileSystem(uint64_t fsid) const {
  return std::any_of(directories_.begin(), directories_.end(),
                     [&](const WatchedDirectory& directory) { return directory.mount->fsid == fsid; });
}

Place WatchTable::Locate(uint64_t fsid, std::string_view handle) const {
  const WatchedMount* tried = nullptr;
  for (const WatchedDirectory& directory : directories_) {
    const WatchedMount& mount = *directory.mount;
    if (mount.fsid != fsid || &mount == tried) continue;
    tried = &mount;
    UniqueFd fd = OpenHandle(mount.fd.get(), handle);
    if (!fd.valid()) continue;
    std::string name = NameOf(fd.get());
    Place place = name.empty() ? LocateAncestor(mount, fd.get()) : Match(mount, name);
    if (place.id != 0) return place;
  }
  return Place();
}

// Large steps first: in a deep tree each event would otherwise take as many calls as the tree has levels.
Place WatchTable::LocateAncestor(const WatchedMount& mount, int fd) const {
  for (int step : kClimbSteps) {
    Place place = Match(mount, NameOfAncestor(fd, step));
    if (place.id == 0) continue;
    place.is_ancestor = true;
    return place;
  }
  return Place();
}

Place WatchTable::Match(const WatchedMount& mount, std::string_view path) const {
  for (const WatchedDirectory& directory : directories_) {
    const std::string& prefix = directory.path;
    if (directory.mount.get() != &mount || path.substr(0, prefix.size()) != prefix) continue;
    if (path.size() == prefix.size()) return Place{directory.id, "", false};
    if (path[prefix.size()] == '/') return Place{directory.id, std::string(path.substr(prefix.size() + 1)), false};
  }
  return Place();
}

}  // namespace rootfs
