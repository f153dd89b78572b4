#include "entry-look.h"

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

}  // namespace rootfs
