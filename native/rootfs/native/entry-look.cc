#include "entry-look.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kernel.h"

namespace rootfs {

namespace {

bool IsWanted(const std::string& xattr, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    bool prefix = pattern.back() == '*';
    if (prefix ? xattr.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0 : xattr == pattern)
      return true;
  }
  return false;
}

}  // namespace

Status CheckXattrPatterns(const std::vector<std::string>& patterns) {
  for (const std::string& name : patterns) {
    if (name.rfind("trusted.", 0) == 0 && !HasTrustedXattrs()) {
      return Status::Fail(Code::kUnsupported, EPERM, "listxattr");
    }
  }
  return {};
}

void ReadXattrs(XattrSource source, const std::vector<std::string>& patterns, WalkRecord* record) {
  Result<std::vector<std::string>> names = ListXattrs(source);
  record->has_xattrs = names.ok();
  for (const std::string& name : names.value) {
    if (!IsWanted(name, patterns)) continue;
    Result<std::string> value = GetXattr(source, name);
    if (value.ok()) {
      record->xattrs.emplace_back(name, std::move(value.value));
    } else if (value.status.code != Code::kNotFound) {
      record->has_xattrs = false;
    }
  }
  if (record->has_xattrs) return;
  record->xattrs.clear();
  record->problem = Problem::kUnreadable;
}

Result<WalkRecord> LookAt(const Entry& entry, const std::vector<std::string>& patterns) {
  Status known = CheckXattrPatterns(patterns);
  if (!known.ok) return known;
  WalkRecord record;
  record.stat = entry.stat;
  if (entry.stat.type == EntryType::kSymlink) {
    Result<std::string> target = ReadLinkFd(entry.fd.get());
    if (!target.ok()) return target.status;
    record.target = std::move(target.value);
    record.has_target = true;
  }
  if (!patterns.empty()) ReadXattrs({entry.fd.get(), true}, patterns, &record);
  return record;
}

Result<WalkRecord> LookInside(const Entry& entry, const std::vector<std::string>& patterns, const EndsWish& wish,
                              Ends* ends) {
  if (entry.stat.type != EntryType::kFile) return LookAt(entry, patterns);
  const uint64_t size = entry.stat.size;
  const uint64_t bytes = std::min(size, wish.bytes);
  Result<ReadPlan> plan = PlanRead(entry, bytes, 0, static_cast<int64_t>(bytes));
  if (!plan.ok()) return LookAt(entry, patterns);
  Status known = CheckXattrPatterns(patterns);
  if (!known.ok) return known;
  WalkRecord record;
  record.stat = entry.stat;
  if (!patterns.empty()) ReadXattrs({plan.value.fd.get(), false}, patterns, &record);
  ends->head.resize(bytes);
  ends->has_tail = wish.wants_tail && size > bytes;
  if (ends->has_tail) {
    const uint64_t from = std::max(size - bytes, bytes - std::min(bytes, wish.overlap));
    ends->tail.resize(size - from);
    ends->is_read = ReadRange(plan.value, from, &ends->tail).ok;
    if (!ends->is_read) return record;
  }
  // Looks again at the end, for both.
  ends->is_read = ReadPlanned(plan.value, ends->head.data()).ok;
  return record;
}

}  // namespace rootfs
