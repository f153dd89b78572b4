#ifndef ROOTFS_MUTED_NAMES_H_
#define ROOTFS_MUTED_NAMES_H_

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sip-hash.h"

namespace rootfs {

// Names that somebody will look at anyway: what is written to them is counted and not told. Any thread may call.
class MutedNames {
 public:
  // Paths below a watched directory, each ended by NUL. Those that do not fit are left out, and so told of.
  void Mute(uint32_t id, std::string_view paths);
  void Unmute(uint32_t id);
  // True, and counted, where the path is muted.
  bool Swallow(uint32_t id, std::string_view path);
  // How many were swallowed in which directory since the last time.
  std::vector<std::pair<uint32_t, uint32_t>> TakeCounts();

 private:
  struct Directory {
    std::deque<std::string> texts;  // what the views point into
    std::unordered_set<std::string_view, SipHasher> paths;
    size_t bytes = 0;
    uint32_t swallowed = 0;
  };

  std::mutex mutex_;
  std::unordered_map<uint32_t, Directory> directories_;
  size_t bytes_ = 0;
};

}  // namespace rootfs

#endif  // ROOTFS_MUTED_NAMES_H_
