#ifndef ROOTFS_HASH_MANY_H_
#define ROOTFS_HASH_MANY_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "root.h"

namespace rootfs {

// Hashes a list of files; several threads may run it at once and share the list.
class HashMany {
 public:
  HashMany(std::shared_ptr<const Root> root, std::vector<std::string> paths, uint64_t max_bytes);

  // Takes files until none is left.
  void Run();
  // One record per path, as src/packed-lists.ts decodes it. Call it when every thread has returned.
  std::string Pack() const;

 private:
  std::string HashOne(const std::string& path) const;

  std::shared_ptr<const Root> root_;
  std::vector<std::string> paths_;
  std::vector<std::string> records_;
  uint64_t max_bytes_;
  std::atomic<size_t> next_{0};
};

}  // namespace rootfs

#endif  // ROOTFS_HASH_MANY_H_
