#include "muted-names.h"

#include <algorithm>
#include <iterator>

namespace rootfs {

namespace {

constexpr size_t kMaxBytes = 16 * 1024 * 1024;
constexpr size_t kPathBytes = 120;  // what a path takes up beside its text

}  // namespace

void MutedNames::Mute(uint32_t id, std::string_view paths) {
  std::lock_guard<std::mutex> lock(mutex_);
  Directory& directory = directories_[id];
  for (size_t at = 0; at < paths.size();) {
    const size_t end = std::min(paths.find('\0', at), paths.size());
    const std::string_view path = paths.substr(at, end - at);
    at = end + 1;
    const size_t bytes = path.size() + kPathBytes;
    if (bytes_ + bytes > kMaxBytes || directory.paths.count(path) > 0) continue;
    directory.paths.insert(directory.texts.emplace_back(path));
    directory.bytes += bytes;
    bytes_ += bytes;
  }
}

void MutedNames::Unmute(uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto known = directories_.find(id);
  if (known == directories_.end()) return;
  bytes_ -= known->second.bytes;
  const uint32_t swallowed = known->second.swallowed;
  directories_.erase(known);
  // They were told to nobody yet.
  if (swallowed > 0) directories_[id].swallowed = swallowed;
}

bool MutedNames::Swallow(uint32_t id, std::string_view path) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto known = directories_.find(id);
  if (known == directories_.end() || known->second.paths.count(path) == 0) return false;
  if (known->second.swallowed < UINT32_MAX) known->second.swallowed++;
  return true;
}

std::vector<std::pair<uint32_t, uint32_t>> MutedNames::TakeCounts() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::pair<uint32_t, uint32_t>> counts;
  for (auto known = directories_.begin(); known != directories_.end();) {
    auto& [id, directory] = *known;
    if (directory.swallowed > 0) counts.emplace_back(id, directory.swallowed);
    directory.swallowed = 0;
    known = directory.paths.empty() ? directories_.erase(known) : std::next(known);
  }
  return counts;
}

}  // namespace rootfs
