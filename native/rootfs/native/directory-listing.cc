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

bool IsExhausted(const Status& status) {
  return status.error == EMFILE || status.error == ENFILE || status.error == ENOMEM;
}

Problem ProblemOfDirectory(const Root& root, std::string_view path, const Status& status) {
  if (status.code == Code::kSystem) return Problem::kUnreadable;
  if (status.code == Code::kEscape) return Problem::kMount;
  // It was a directory a moment ago: either nothing is there any more, or it is not the one that was seen.
  const bool is_gone = status.code == Code::kNotFound && root.Find(path).status.code == Code::kNotFound;
  return is_gone ? Problem::kNone : Problem::kChanged;
}

Status DirectoryListing::Advance(const Root& root, const ListingLimits& limits, Told* told) {
  Problem problem = Problem::kNone;
  if (!is_open_) {
    is_open_ = true;
    Status opened = Open(root, limits, &problem);
    if (!opened.ok) return opened;
  }
  const std::string path = ToText(path_.get());
  RecordWriter writer(path, &told->records);
  const size_t stop = std::min(names_.size(), next_ + kStride);
  for (; next_ < stop; next_++) {
    Status looked = Look(root, next_, &writer);
    if (!looked.ok) return looked;
  }
  writer.Finish(problem);
  for (size_t link : links_) {
    if (!path.empty()) told->links.append(path).push_back('/');
    told->links.append(names_[link]).push_back('\0');
  }
  links_.clear();
  done_ = next_ == names_.size();
  return {};
}

Status DirectoryListing::Open(const Root& root, const ListingLimits& limits, Problem* problem) {
  const size_t depth = path_ == nullptr ? 0 : path_->depth;
  if (path_ != nullptr && path_->bytes > kMaxPathBytes) return Status::Fail(Code::kLimit, 0, "walk");
  const std::string text = ToText(path_.get());
  Result<UniqueFd> fd = parent_ == nullptr ? root.OpenToList(text) : root.OpenToList(parent_->get(), path_->name);
  parent_.reset();
  if (!fd.ok()) {
    if (IsExhausted(fd.status)) return fd.status;
    *problem = ProblemOfDirectory(root, text, fd.status);
    return {};
  }
  const uint64_t seen = limits.entries->load();
  Result<DirectoryNames> names = ReadNames(fd.value.get(), limits.max_entries - std::min(limits.max_entries, seen));
  if (!names.ok()) return names.status;
  if (names.value.size() > 0 && depth >= limits.max_depth) return Status::Fail(Code::kLimit, 0, "walk");
  // Others count at the same time.
  if (limits.entries->fetch_add(names.value.size()) + names.value.size() > limits.max_entries) {
    return Status::Fail(Code::kLimit, 0, "getdents64");
  }
  names_ = std::move(names.value);
  fd_ = std::move(fd.value);
  return {};
}

Status DirectoryListing::Look(const Root& root, size_t at, RecordWriter* writer) {
  const std::string_view name = names_[at];
  SurveyEntry entry;
  entry.name = name;
  switch (names_.TypeAt(at)) {
    case DT_DIR:
      directories_.Add(name);  // looked at when it is opened
      return {};
    case DT_LNK:
      links_.push_back(at);
      return {};
    case DT_REG:
      entry.problem = kNotSeen;
      writer->Add(entry);
      return {};
    default:
      break;
  }
  Result<EntryStat> stat = StatName(fd_.get(), std::string(name).c_str());
  if (!stat.ok()) {
    if (stat.status.code == Code::kNotFound) return {};
    if (IsExhausted(stat.status)) return stat.status;
    entry.problem = static_cast<uint16_t>(Problem::kUnreadable);
  } else if (!stat.value.identity.SameMount(root.identity())) {
    entry.problem = static_cast<uint16_t>(Problem::kMount);
  } else if (stat.value.type == EntryType::kDirectory) {
    directories_.Add(name);
    return {};
  } else if (stat.value.type != EntryType::kFile) {
    if (stat.value.type == EntryType::kSymlink) links_.push_back(at);
    return {};
  }
  entry.size = stat.value.size;
  entry.mode = stat.value.mode;
  entry.type = static_cast<uint16_t>(stat.value.type);
  writer->Add(entry);
  return {};
}

}  // namespace rootfs
