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

constexpr int kClimbStep = 16;
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

// The nearest ancestor that has a name short enough to be told.
std::string NameOfAncestor(UniqueFd fd) {
  for (int up = 1; up <= kMaxClimb; up++) {
    fd.Reset(openat(fd.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return "";
    std::string name = up % kClimbStep == 0 ? NameOf(fd.get()) : "";
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
    bool is_ancestor = name.empty();
    if (is_ancestor) name = NameOfAncestor(std::move(fd));
    Place place = Match(mount, name);
    place.is_ancestor = is_ancestor;
    if (place.id != 0) return place;
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
