#ifndef ROOTFS_EVENT_BATCH_H_
#define ROOTFS_EVENT_BATCH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sip-hash.h"

namespace rootfs {

// Events merged by path. Bounded: what does not fit becomes an overflow, which says "look everywhere".
class EventBatch {
 public:
  void Add(uint32_t id, std::string_view path, uint64_t mask);
  // How many events of a directory are in no batch because their names are muted.
  void Mute(std::vector<std::pair<uint32_t, uint32_t>> counts) { muted_ = std::move(counts); }
  void Overflow();
  void Fail(int error, const char* call);

  bool empty() const { return masks_.empty() && !overflow_ && error_ == 0; }
  bool overflow() const { return overflow_; }
  int error() const { return error_; }
  const char* call() const { return call_; }
  // Records as src/fanotify-watch.ts decodes them.
  std::string Pack() const;

 private:
  std::unordered_map<std::string, uint64_t, SipHasher> masks_;  // by id (4 bytes) and path
  std::vector<std::pair<uint32_t, uint32_t>> muted_;
  size_t bytes_ = 0;
  bool overflow_ = false;
  int error_ = 0;
  const char* call_ = "";
};

}  // namespace rootfs

#endif  // ROOTFS_EVENT_BATCH_H_
