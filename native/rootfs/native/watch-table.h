#ifndef ROOTFS_WATCH_TABLE_H_
#define ROOTFS_WATCH_TABLE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "status.h"
#include "unique-fd.h"

namespace rootfs {

// A file system seen through one mount: handles of its directories are opened and named through this descriptor.
struct WatchedMount {
  uint64_t fsid = 0;
  uint64_t mount_id = 0;
  UniqueFd fd;
};

struct WatchedDirectory {
  uint32_t id = 0;
  std::string path;  // as /proc/self/fd names it, no trailing slash
  std::shared_ptr<WatchedMount> mount;
};

// Where an event happened: below which watched directory (0: none), and the path of its directory relative to it.
struct Place {
  uint32_t id = 0;
  std::string path;
  bool is_ancestor = false;  // the directory lies too deep to be named; `path` is an ancestor of it
};

// What is watched at one moment. Immutable, so that the watching thread reads it without a lock.
class WatchTable {
 public:
  // A copy with one directory more. Opens it; the caller marks its file system.
  Result<std::shared_ptr<const WatchTable>> With(const std::string& path, uint32_t id) const;
  std::shared_ptr<const WatchTable> Without(uint32_t id) const;

  const WatchedDirectory* Find(uint32_t id) const;
  bool HasFileSystem(uint64_t fsid) const;
  // Finds the place of a directory given by file handle; id 0 where it is not below a watched one or is gone.
  Place Locate(uint64_t fsid, std::string_view handle) const;

 private:
  Place LocateAncestor(const WatchedMount& mount, int fd) const;
  Place Match(const WatchedMount& mount, std::string_view path) const;

  std::vector<WatchedDirectory> directories_;
};

}  // namespace rootfs

#endif  // ROOTFS_WATCH_TABLE_H_
