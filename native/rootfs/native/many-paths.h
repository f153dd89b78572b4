#ifndef ROOTFS_MANY_PATHS_H_
#define ROOTFS_MANY_PATHS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "root.h"
#include "shared-work.h"

namespace rootfs {

// Paths behind one another, each ended by NUL, which no path holds.
std::vector<std::string> SplitPaths(std::string_view packed);

struct ReadManyOptions {
  uint64_t max_bytes = 0;      // of one file
  uint64_t max_all_bytes = 0;  // of all together
  bool heads = false;          // at most the first max_bytes, in place of whole files of at most that size
  size_t helpers = 0;
  uint64_t end_bytes = 0;  // with heads: so many of the last bytes too, as far as they do not lie in the head
};

// Reads many regular files, with the checks of PlanRead and ReadPlanned.
class ManyReads {
 public:
  // Helpers begin at once.
  ManyReads(std::shared_ptr<const Root> root, std::vector<std::string> paths, ReadManyOptions options);

  // Does what is left and packs for each path its length (u32, all ones where it is to be asked for on its own: nothing
  // there, refused, above a limit, changed meanwhile) and its bytes; with end_bytes, these are the file's size (u64),
  // its head and its end. Once.
  std::string Take();

 private:
  struct Job;

  std::shared_ptr<Job> job_;
  std::shared_ptr<SharedWork> work_;
};

// The type of each entry as one byte; 255 where it is to be asked for on its own.
std::string TypesOf(const std::shared_ptr<const Root>& root, std::vector<std::string> paths, size_t helpers);

}  // namespace rootfs

#endif  // ROOTFS_MANY_PATHS_H_
