#ifndef ROOTFS_WALK_RECORD_H_
#define ROOTFS_WALK_RECORD_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "entry-stat.h"
#include "sha256.h"

namespace rootfs {

enum class Problem : uint8_t { kNone, kChanged, kLimit, kMount, kUnreadable };

// One entry of a walk as src/walk.ts decodes it.
struct WalkRecord {
  EntryStat stat;
  Problem problem = Problem::kNone;
  bool has_target = false;
  bool has_sha256 = false;
  bool has_xattrs = false;
  std::string target;
  Sha256Digest sha256;
  std::vector<std::pair<std::string, std::string>> xattrs;

  void Append(std::string_view path, std::string* batch) const;
};

}  // namespace rootfs

#endif  // ROOTFS_WALK_RECORD_H_
