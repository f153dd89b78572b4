#include "event-batch.h"

#include "entry-stat.h"

namespace rootfs {

namespace {

constexpr size_t kMaxPaths = 65536;
constexpr size_t kMaxBytes = 16 * 1024 * 1024;
constexpr uint64_t kMuted = uint64_t{1} << 63;  // no mask: the number of muted events

}  // namespace

void EventBatch::Add(uint32_t id, std::string_view path, uint64_t mask) {
  if (overflow_) return;
  std::string key;
  key.reserve(sizeof(id) + path.size());
  AppendInteger(id, &key);
  key += path;
  size_t bytes = key.size();
  auto [place, added] = masks_.try_emplace(std::move(key), 0);
  place->second |= mask;
  if (!added) return;
  bytes_ += bytes;
  if (masks_.size() > kMaxPaths || bytes_ > kMaxBytes) Overflow();
}

void EventBatch::Overflow() {
  masks_.clear();
  overflow_ = true;
}

void EventBatch::Fail(int error, const char* call) {
  error_ = error;
  call_ = call;
  Overflow();
}

std::string EventBatch::Pack() const {
  std::string packed;
  for (const auto& [key, mask] : masks_) {
    AppendInteger(static_cast<uint32_t>(key.size() + 12), &packed);
    packed.append(key, 0, sizeof(uint32_t));
    AppendInteger(mask, &packed);
    packed.append(key, sizeof(uint32_t));
  }
  for (const auto& [id, count] : muted_) {
    AppendInteger(uint32_t{16}, &packed);
    AppendInteger(id, &packed);
    AppendInteger(kMuted | count, &packed);
  }
  return packed;
}

}  // namespace rootfs
