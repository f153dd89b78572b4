#include "walker.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "entry-look.h"
#include "kernel.h"
#include "read-deadline.h"

namespace rootfs {

namespace {

constexpr size_t kBatchEntries = 1024;
constexpr size_t kBatchBytes = 256 * 1024;
constexpr auto kBatchTime = std::chrono::milliseconds(50);
constexpr size_t kMaxPathBytes = 64 * 1024;  // paths of a deep tree are quadratic in its depth
constexpr size_t kOpenLevels = 32;
constexpr int kMaxLooks = 4;
constexpr int kMaxListings = 5;

EntryType TypeOf(uint8_t listed) {
  if (listed == DT_DIR) return EntryType::kDirectory;
  return listed == DT_LNK ? EntryType::kSymlink : EntryType::kFile;
}

bool IsRace(int error) { return error == ENOTDIR || error == ELOOP || error == EINVAL; }

}  // namespace

Result<std::unique_ptr<Walker>> Walker::Start(std::shared_ptr<const Root> root, const std::string& path,
                                              WalkOptions options) {
  Status known = CheckXattrPatterns(options.xattrs);
  if (!known.ok) return known;
  Result<Entry> entry = root->Find(path, EntryType::kDirectory);
  if (!entry.ok()) return entry.status;
  Result<UniqueFd> directory = ReopenDirectory(entry.value.fd.get());
  if (!directory.ok()) return directory.status;
  std::unique_ptr<Walker> walker(new Walker(std::move(root), std::move(options)));
  for (std::string_view part : SplitPath(path)) walker->path_.append(walker->path_.empty() ? "" : "/").append(part);
  size_t path_bytes = walker->path_.size();
  Status descended = walker->Descend(std::move(directory.value), entry.value.stat.identity, path_bytes);
  if (!descended.ok) return descended;
  return walker;
}

Result<std::string> Walker::Next() {
  std::string batch;
  const auto deadline = std::chrono::steady_clock::now() + kBatchTime;
  for (size_t count = 0; !levels_.empty() && count < kBatchEntries && batch.size() < kBatchBytes;) {
    Level& top = levels_.back();
    Status status = CheckReadDeadline();
    if (!status.ok) {
      // The walk is over.
    } else if (top.next == top.names.size()) {
      status = top.vanished.empty() ? Ascend() : ListAgain(&batch);
    } else {
      std::string name(top.names[top.next]);
      uint64_t ino = top.names.InoAt(top.next++);
      size_t before = batch.size();
      status = Visit(name, ino, &batch);
      // Entries that vanished do not count: an empty batch would be taken for the end.
      if (batch.size() > before) count++;
    }
    if (!status.ok) {
      levels_.clear();
      return status;
    }
    if (!batch.empty() && std::chrono::steady_clock::now() >= deadline) break;
  }
  return batch;
}

Status Walker::Visit(const std::string& name, uint64_t ino, std::string* batch) {
  path_.resize(levels_.back().path_bytes);
  if (path_.size() + 1 + name.size() > kMaxPathBytes) return Status::Fail(Code::kLimit, 0, "walk");
  WalkRecord record;
  UniqueFd directory;
  bool settled = false;
  for (int looks = 0; !settled && looks < kMaxLooks; looks++) {
    record = WalkRecord();
    directory = UniqueFd();
    bool closely = options_.hash_files || !options_.xattrs.empty();
    Status seen =
        closely ? LookClosely(name, &record, &directory, &settled) : Look(name, &record, &directory, &settled);
    if (!seen.ok && seen.code == Code::kNotFound) {
      levels_.back().vanished.insert(name);
      levels_.back().vanished_inodes.insert(ino);
      return {};
    }
    if (!seen.ok) return seen;
  }
  if (!settled && record.problem == Problem::kNone) record.problem = Problem::kChanged;
  Tell(record, name, batch);
  if (!settled || !directory.valid()) return {};
  return Descend(std::move(directory), record.stat.identity, path_.size());
}

void Walker::Tell(const WalkRecord& record, const std::string& name, std::string* batch) {
  path_.resize(levels_.back().path_bytes);
  if (!path_.empty()) path_ += '/';
  path_ += name;
  record.Append(path_, batch);
}

Status Walker::ListAgain(std::string* batch) {
  Level& top = levels_.back();
  if (lseek(top.fd.get(), 0, SEEK_SET) != 0) return Status::Fail(Code::kSystem, errno, "lseek");
  Result<DirectoryNames> names = ReadNames(top.fd.get(), options_.max_entries);
  if (!names.ok()) return names.status;
  DirectoryNames found;
  for (size_t i = 0; i < names.value.size(); i++) {
    std::string_view name = names.value[i];
    uint64_t ino = names.value.InoAt(i);
    if (top.vanished_inodes.count(ino) == 0) continue;
    // Another name of the same file, which was told.
    if (top.vanished.count(std::string(name)) == 0 && top.names.Holds(name, ino)) continue;
    found.Add(name, names.value.TypeAt(i), ino);
  }
  found.Sort();
  top.vanished.clear();
  top.vanished_inodes.clear();
  if (++top.listings <= kMaxListings) {
    top.names = std::move(found);
    top.next = 0;
    return {};
  }
  WalkRecord record;
  record.problem = Problem::kChanged;
  for (size_t i = 0; i < found.size(); i++) {
    record.stat.type = TypeOf(found.TypeAt(i));
    record.stat.identity.ino = found.InoAt(i);
    Tell(record, std::string(found[i]), batch);
  }
  return {};
}

Status Walker::Look(const std::string& name, WalkRecord* record, UniqueFd* directory, bool* settled) {
  int parent = levels_.back().fd.get();
  Result<EntryStat> stat = StatName(parent, name.c_str());
  if (!stat.ok()) return stat.status;
  record->stat = stat.value;
  *settled = true;
  if (!stat.value.identity.SameMount(root_->identity())) {
    record->problem = Problem::kMount;
    return {};
  }
  if (stat.value.type == EntryType::kDirectory) return LookClosely(name, record, directory, settled);
  if (stat.value.type != EntryType::kSymlink) return {};
  char target[PATH_MAX];
  ssize_t bytes = readlinkat(parent, name.c_str(), target, sizeof(target));
  if (bytes < 0) {
    *settled = !IsRace(errno);
    if (errno == ENOENT) return Status::Fail(Code::kNotFound, errno, "readlinkat");
    if (*settled) record->problem = Problem::kUnreadable;
    return {};
  }
  record->target.assign(target, static_cast<size_t>(bytes));
  record->has_target = true;
  return {};
}

Status Walker::LookClosely(const std::string& name, WalkRecord* record, UniqueFd* directory, bool* settled) {
  Entry entry;
  entry.fd.Reset(openat(levels_.back().fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!entry.fd.valid()) {
    return Status::Fail(errno == ENOENT ? Code::kNotFound : Code::kSystem, errno, "openat");
  }
  Result<EntryStat> stat = StatFd(entry.fd.get());
  if (!stat.ok()) return stat.status;
  entry.stat = stat.value;
  record->stat = stat.value;
  *settled = true;
  if (!stat.value.identity.SameMount(root_->identity())) {
    record->problem = Problem::kMount;
    return {};
  }
  if (stat.value.type == EntryType::kSymlink) {
    Result<std::string> target = ReadLinkFd(entry.fd.get());
    if (!target.ok()) return target.status;
    record->target = std::move(target.value);
    record->has_target = true;
  }
  UniqueFd opened;
  Status opening = OpenContent(entry, record, &opened, settled);
  if (!opening.ok) return opening;
  // All is read from descriptors of this one object: parts of two files never meet in one record.
  if (!options_.xattrs.empty()) {
    XattrSource source = opened.valid() ? XattrSource{opened.get(), false} : XattrSource{entry.fd.get(), true};
    ReadXattrs(source, options_.xattrs, record);
  }
  if (stat.value.type == EntryType::kDirectory) {
    *directory = std::move(opened);
    return {};
  }
  return opened.valid() ? HashContent(opened.get(), record, settled) : Status{};
}

// Opens a directory, which is to be listed, or a file that is to be hashed. What cannot be opened is a problem of the
// entry and not of the walk.
Status Walker::OpenContent(const Entry& entry, WalkRecord* record, UniqueFd* opened, bool* settled) const {
  bool is_directory = entry.stat.type == EntryType::kDirectory;
  if (!is_directory && (!options_.hash_files || entry.stat.type != EntryType::kFile)) return {};
  if (!is_directory && entry.stat.size > options_.max_file_bytes) {
    record->problem = Problem::kLimit;
    return {};
  }
  Result<UniqueFd> fd = is_directory ? ReopenDirectory(entry.fd.get()) : ReopenFile(entry.fd.get());
  if (fd.ok()) {
    *opened = std::move(fd.value);
  } else if (fd.status.code == Code::kNotFound || fd.status.code == Code::kUnsupported) {
    return fd.status;
  } else if (fd.status.code == Code::kChanged) {
    *settled = false;
  } else {
    record->problem = Problem::kUnreadable;
  }
  return {};
}

Status Walker::HashContent(int fd, WalkRecord* record, bool* settled) const {
  Result<Hashed> hashed = HashOpened(fd, record->stat);
  if (hashed.ok()) {
    record->sha256 = hashed.value.sha256;
    record->has_sha256 = true;
  } else if (hashed.status.code == Code::kUnsupported || hashed.status.code == Code::kLimit) {
    return hashed.status;
  } else if (hashed.status.code == Code::kChanged) {
    *settled = false;
  } else {
    record->problem = Problem::kUnreadable;
  }
  return {};
}

Status Walker::Descend(UniqueFd directory, const Identity& identity, size_t path_bytes) {
  Result<DirectoryNames> names = ReadNames(directory.get(), options_.max_entries - entries_);
  if (!names.ok()) return names.status;
  if (names.value.size() == 0) return {};
  if (levels_.size() >= options_.max_depth) return Status::Fail(Code::kLimit, 0, "walk");
  entries_ += names.value.size();
  names.value.Sort();
  // Descriptors are a limit of the whole process: hold the deepest only and come back to the others through `..`.
  if (levels_.size() >= kOpenLevels) levels_[levels_.size() - kOpenLevels].fd.Reset(-1);
  Level level;
  level.names = std::move(names.value);
  level.fd = std::move(directory);
  level.identity = identity;
  level.path_bytes = path_bytes;
  levels_.push_back(std::move(level));
  return {};
}

Status Walker::Ascend() {
  if (levels_.size() > 1 && !levels_[levels_.size() - 2].fd.valid()) {
    Level& parent = levels_[levels_.size() - 2];
    UniqueFd path_fd(openat(levels_.back().fd.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!path_fd.valid()) return Status::Fail(Code::kChanged, errno, "openat");
    Result<EntryStat> stat = StatFd(path_fd.get());
    // Somebody moved the directory meanwhile; what `..` leads to now was never judged.
    if (!stat.ok() || !(stat.value.identity == parent.identity)) return Status::Fail(Code::kChanged, 0, "openat");
    parent.fd = std::move(path_fd);
  }
  levels_.pop_back();
  return {};
}

}  // namespace rootfs
