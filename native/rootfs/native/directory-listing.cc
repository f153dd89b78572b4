#include "directory-listing.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>

#include "kernel.h"

namespace rootfs {

namespace {

constexpr size_t kStride = 1024;
constexpr size_t kMaxPathBytes = 64 * 1024;

std::string ToText(const DirectoryPart* path) {
  std::string text(path == nullptr ? 0 : path->bytes, '/');
  size_t end = text.size();
  for (const DirectoryPart* part = path; part != nullptr; part = part->parent.get()) {
    end -= part->name.size();
    text.replace(end, part->name.size(), part->name);
    if (end > 0) end--;
  }
  return text;
}

bool IsExhausted(const Status& status) {
  return status.error == EMFILE || status.error == ENFILE || status.error == ENOMEM;
}

// Records are read as words of four bytes.
void AppendAligned(std::string_view text, std::string* out) {
  out->append(text).append((4 - text.size() % 4) % 4, '\0');
}

void AppendRecord(std::string_view path, Problem problem, uint32_t count, std::string_view entries,
                  std::string* records) {
  const size_t path_bytes = (path.size() + 3) / 4 * 4;
  AppendInteger(static_cast<uint32_t>(16 + path_bytes + entries.size()), records);
  AppendInteger(static_cast<uint32_t>(path.size()), records);
  AppendInteger(count, records);
  AppendInteger(static_cast<uint32_t>(problem), records);
  AppendAligned(path, records);
  records->append(entries);
}

void AppendEntry(const EntryStat& stat, Problem problem, std::string_view name, std::string* entries) {
  AppendInteger(stat.size, entries);
  AppendInteger(stat.mode, entries);
  AppendInteger(static_cast<uint16_t>(name.size()), entries);
  AppendInteger(static_cast<uint16_t>(stat.type), entries);
  AppendInteger(static_cast<uint16_t>(problem), entries);
  AppendAligned(name, entries);
}

}  // namespace

DirectoryPart::~DirectoryPart() {
  // One after the other: a chain of thousands of parts would otherwise end in as many nested calls.
  while (parent != nullptr && parent.use_count() == 1) {
    DirectoryPath next = const_cast<DirectoryPart*>(parent.get())->parent;
    const_cast<DirectoryPart*>(parent.get())->parent.reset();
    parent = std::move(next);
  }
}

DirectoryPath MakePath(DirectoryPath parent, std::string_view name) {
  auto part = std::make_shared<DirectoryPart>();
  part->depth = parent == nullptr ? 1 : parent->depth + 1;
  part->bytes = (parent == nullptr ? 0 : parent->bytes + 1) + name.size();
  part->name = name;
  part->parent = std::move(parent);
  return part;
}

Status DirectoryListing::Advance(const Root& root, const ListingLimits& limits, Told* told) {
  Problem problem = Problem::kNone;
  if (!fd_.valid()) {
    Status opened = Open(root, limits, &problem);
    if (!opened.ok) return opened;
  }
  std::string entries;
  uint32_t count = 0;
  const size_t stop = std::min(names_.size(), next_ + kStride);
  for (; next_ < stop; next_++) {
    Status looked = Look(root, next_, &entries, &count);
    if (!looked.ok) return looked;
  }
  done_ = next_ == names_.size();
  if (done_) fd_ = UniqueFd();
  if (count > 0 || problem != Problem::kNone || !links_.empty()) Tell(problem, count, entries, told);
  return {};
}

void DirectoryListing::Tell(Problem problem, uint32_t count, const std::string& entries, Told* told) {
  const std::string path = ToText(path_.get());
  if (count > 0 || problem != Problem::kNone) AppendRecord(path, problem, count, entries, &told->records);
  for (size_t link : links_) {
    if (!path.empty()) told->links.append(path).push_back('/');
    told->links.append(names_[link]).push_back('\0');
  }
  links_.clear();
}

Status DirectoryListing::Open(const Root& root, const ListingLimits& limits, Problem* problem) {
  const size_t depth = path_ == nullptr ? 0 : path_->depth;
  if (path_ != nullptr && path_->bytes > kMaxPathBytes) return Status::Fail(Code::kLimit, 0, "walk");
  const std::string text = ToText(path_.get());
  Result<Entry> entry = root.OpenDirectory(text);
  if (!entry.ok()) {
    if (IsExhausted(entry.status)) return entry.status;
    // It was a directory a moment ago: either nothing is there any more, or it is not the one that was seen.
    bool is_gone = entry.status.code == Code::kNotFound && root.Find(text).status.code == Code::kNotFound;
    if (entry.status.code == Code::kSystem)
      *problem = Problem::kUnreadable;
    else if (entry.status.code == Code::kEscape)
      *problem = Problem::kMount;
    else if (!is_gone)
      *problem = Problem::kChanged;
    return {};
  }
  const uint64_t seen = limits.entries->load();
  Result<DirectoryNames> names =
      ReadNames(entry.value.fd.get(), limits.max_entries - std::min(limits.max_entries, seen));
  if (!names.ok()) return names.status;
  if (names.value.size() > 0 && depth >= limits.max_depth) return Status::Fail(Code::kLimit, 0, "walk");
  // Others count at the same time.
  if (limits.entries->fetch_add(names.value.size()) + names.value.size() > limits.max_entries) {
    return Status::Fail(Code::kLimit, 0, "getdents64");
  }
  names_ = std::move(names.value);
  fd_ = std::move(entry.value.fd);
  return {};
}

Status DirectoryListing::Look(const Root& root, size_t at, std::string* entries, uint32_t* count) {
  const std::string name(names_[at]);
  // It is looked at when it is opened.
  if (names_.TypeAt(at) == DT_DIR) {
    directories_.Add(name);
    return {};
  }
  Result<EntryStat> stat = StatName(fd_.get(), name.c_str());
  Problem problem = Problem::kNone;
  if (!stat.ok()) {
    if (stat.status.code == Code::kNotFound) return {};
    if (IsExhausted(stat.status)) return stat.status;
    problem = Problem::kUnreadable;
  } else if (!stat.value.identity.SameMount(root.identity())) {
    problem = Problem::kMount;
  } else if (stat.value.type == EntryType::kDirectory) {
    directories_.Add(name);
    return {};
  } else if (stat.value.type != EntryType::kFile) {
    if (stat.value.type == EntryType::kSymlink) links_.push_back(at);
    return {};
  }
  AppendEntry(stat.value, problem, name, entries);
  (*count)++;
  return {};
}

}  // namespace rootfs
