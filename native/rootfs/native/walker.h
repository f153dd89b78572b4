#ifndef ROOTFS_WALKER_H_
#define ROOTFS_WALKER_H_

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "directory-names.h"
#include "entry-content.h"
#include "root.h"
#include "walk-record.h"

namespace rootfs {

struct WalkOptions {
  uint64_t max_entries = 0;
  uint64_t max_depth = 0;
  std::vector<std::string> xattrs;  // names, or prefixes with a final *
  bool hash_files = false;
  uint64_t max_file_bytes = 0;
};

// Walks a tree batch by batch, depth first in byte order, without recursion and with a bounded number of descriptors.
// Used by one thread at a time.
class Walker {
 public:
  static Result<std::unique_ptr<Walker>> Start(std::shared_ptr<const Root> root, const std::string& path,
                                               WalkOptions options);

  // Packs the next entries; an empty batch is the end. After a failure the walk is over.
  Result<std::string> Next();

 private:
  struct Level {
    DirectoryNames names;
    size_t next = 0;
    UniqueFd fd;  // closed for levels far above the deepest
    Identity identity;
    size_t path_bytes = 0;  // of the directory's own path within path_
    // Entries that were listed and then not found: their names and inode numbers, since the last listing.
    std::unordered_set<std::string> vanished;
    std::unordered_set<uint64_t> vanished_inodes;
    int listings = 1;
  };

  Walker(std::shared_ptr<const Root> root, WalkOptions options)
      : root_(std::move(root)), options_(std::move(options)) {}

  Status Visit(const std::string& name, uint64_t ino, std::string* batch);
  // Lists the current directory again and takes in those that vanished from it and are there after all: under another
  // name, or once more under their own. What is there and never found over all listings is told as changed.
  Status ListAgain(std::string* batch);
  void Tell(const WalkRecord& record, const std::string& name, std::string* batch);
  // One look at an entry. `settled` is false where it changed under the look and another may see it whole.
  Status Look(const std::string& name, WalkRecord* record, UniqueFd* directory, bool* settled);
  Status LookClosely(const std::string& name, WalkRecord* record, UniqueFd* directory, bool* settled);
  Status OpenContent(const Entry& entry, WalkRecord* record, UniqueFd* opened, bool* settled) const;
  Status HashContent(int fd, WalkRecord* record, bool* settled) const;
  Status Descend(UniqueFd directory, const Identity& identity, size_t path_bytes);
  Status Ascend();

  std::shared_ptr<const Root> root_;
  WalkOptions options_;
  std::vector<Level> levels_;
  std::string path_;
  uint64_t entries_ = 0;
};

}  // namespace rootfs

#endif  // ROOTFS_WALKER_H_
