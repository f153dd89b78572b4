#include "hash-many.h"

#include "entry-content.h"

namespace rootfs {

HashMany::HashMany(std::shared_ptr<const Root> root, std::vector<std::string> paths, uint64_t max_bytes)
    : root_(std::move(root)), paths_(std::move(paths)), records_(paths_.size()), max_bytes_(max_bytes) {}

void HashMany::Run() {
  for (size_t i = next_++; i < paths_.size(); i = next_++) records_[i] = HashOne(paths_[i]);
}

std::string HashMany::Pack() const {
  std::string packed;
  for (const std::string& record : records_) packed += record;
  return packed;
}

std::string HashMany::HashOne(const std::string& path) const {
  Result<Entry> entry = root_->Find(path, EntryType::kFile);
  Result<Hashed> hashed = entry.ok() ? HashEntry(entry.value, max_bytes_) : Result<Hashed>(entry.status);
  std::string record;
  AppendInteger(hashed.ok() ? uint32_t{0} : static_cast<uint32_t>(hashed.status.code) + 1, &record);
  AppendInteger(static_cast<uint32_t>(hashed.status.error), &record);
  AppendStat(hashed.value.stat, &record);
  record.append(reinterpret_cast<const char*>(hashed.value.sha256.data()), hashed.value.sha256.size());
  return record;
}

}  // namespace rootfs
