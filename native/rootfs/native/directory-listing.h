#ifndef ROOTFS_DIRECTORY_LISTING_H_
#define ROOTFS_DIRECTORY_LISTING_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "directory-names.h"
#include "root.h"
#include "survey-records.h"

namespace rootfs {

// Path of a directory below the root, sharing its parents: texts of all paths of a deep tree are quadratic in its
// depth.
struct DirectoryPart;
using DirectoryPath = std::shared_ptr<const DirectoryPart>;  // null is the root

struct DirectoryPart {
  DirectoryPath parent;
  std::string name;
  size_t depth = 0;
  size_t bytes = 0;

  ~DirectoryPart();
};

DirectoryPath MakePath(DirectoryPath parent, std::string_view name);

// Whether a failure says that the process has no more descriptors or memory.
bool IsExhausted(const Status& status);
// Why a directory that was seen cannot be opened; none where it is gone.
Problem ProblemOfDirectory(const Root& root, std::string_view path, const Status& status);

struct ListingLimits {
  uint64_t max_entries;
  uint64_t max_depth;
  std::atomic<uint64_t>* entries;  // seen so far in the whole tree
};

// What is told of a tree.
struct Told {
  std::string records;  // regular files are not seen yet: Sift looks at them
  std::string links;    // paths of symbolic links, each ended by NUL
};

// One directory on its way through a survey.
class DirectoryListing {
 public:
  // `parent`: the directory that it lies in, where that is open still.
  DirectoryListing(DirectoryPath path, std::shared_ptr<const UniqueFd> parent)
      : path_(std::move(path)), parent_(std::move(parent)) {}

  // Tells the next of its entries: appends one record, or none, and links. What cannot be read is a problem in the
  // record; limits and a lack of memory or descriptors are failures.
  Status Advance(const Root& root, const ListingLimits& limits, Told* told);

  bool IsDone() const { return done_; }
  const DirectoryPath& path() const { return path_; }
  // Names of directories in it that are to be listed; whole when it is done.
  DirectoryNames& directories() { return directories_; }
  // Of a directory that is done.
  UniqueFd TakeFd() { return std::move(fd_); }

 private:
  Status Open(const Root& root, const ListingLimits& limits, Problem* problem);
  Status Look(const Root& root, size_t at, RecordWriter* writer);

  DirectoryPath path_;
  std::shared_ptr<const UniqueFd> parent_;
  bool is_open_ = false;
  UniqueFd fd_;
  DirectoryNames names_;
  size_t next_ = 0;
  DirectoryNames directories_;
  std::vector<size_t> links_;  // numbers of names that were not told yet
  bool done_ = false;
};

}  // namespace rootfs

#endif  // ROOTFS_DIRECTORY_LISTING_H_
