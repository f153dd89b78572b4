#ifndef ROOTFS_PATH_CLAIMS_H_
#define ROOTFS_PATH_CLAIMS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sip-hash.h"

namespace rootfs {

// Who says which path is his. Paths are listed under names that their directories need not have on disk, so all are
// taken first, then Settle says where each directory lies, and only then is anything found. Where several claim one
// path, the last one counts: of those listed for one directory the last, and of several directories that are one on
// disk the one that was listed first later.
class PathClaims {
 public:
  struct Found {
    uint32_t owner = 0;
    std::string_view listed;  // the directory as it was listed
  };

  // What is beyond max_bytes is left out, and IsFull says so.
  explicit PathClaims(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // From now on, a path that a list names counts as another one, but in lists of that name.
  void Rename(std::string_view from, std::string_view to, std::string_view except_for);
  // Takes each line of a list that is an absolute path and not the root.
  void AddLines(std::string_view list, uint32_t owner, std::string_view list_name);
  void Add(std::string_view path, uint32_t owner);
  bool is_settled() const { return is_settled_; }
  bool IsFull() const { return bytes_ > max_bytes_ || is_cut_; }
  // Memory that it takes up, by and large.
  size_t HeldBytes() const;

  // Directories as listed, in the order that they came in; the root is empty, all else begins with a slash.
  const std::vector<std::string_view>& directories() const { return directories_; }
  // Where each of them lies on disk (absolute); those without answer have an empty one and lose their claims. Once.
  void Settle(const std::vector<std::string_view>& real);
  // The same in two steps, where all links on disk are known: directories that no link leads through lie where they are
  // listed. First gives the others, then takes where those lie.
  std::vector<std::string_view> FindLinked(const std::vector<std::string>& links);
  void SettleLinked(const std::vector<std::string_view>& real);

  // A settled directory by its path, without leading slash; -1 where nobody claims anything in it.
  int64_t FindDirectory(std::string_view path) const;
  // False where nobody claims the name.
  bool Find(int64_t directory, std::string_view name, Found* found) const;

 private:
  template <typename T>
  using ByPath = std::unordered_map<std::string_view, T, SipHasher>;

  struct Claim {
    uint32_t directory;
    uint32_t name_at;
    uint32_t name_bytes;
    uint32_t owner;
  };
  struct RenamedPath {
    std::string_view to;
    std::string_view except_for;
  };

  bool Hold(uint64_t bytes);
  uint32_t DirectoryNumber(std::string_view directory);
  std::string_view NameOf(const Claim& claim) const { return {names_.data() + claim.name_at, claim.name_bytes}; }
  void Sort(const std::vector<int64_t>& groups);

  const uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  bool is_cut_ = false;
  bool is_settled_ = false;
  std::deque<std::string> texts_;  // what views below point into
  ByPath<RenamedPath> renames_;
  std::vector<bool> renamed_sizes_;  // by bytes of the path: nearly all paths are told by it
  std::vector<std::string_view> directories_;
  ByPath<uint32_t> numbers_;  // of directories as listed, then of groups by their path on disk
  uint32_t last_directory_ = UINT32_MAX;
  std::string names_;
  std::vector<Claim> claims_;
  std::vector<uint32_t> linked_;
  std::vector<bool> is_plain_;      // directories whose name a directory can have
  std::vector<size_t> group_ends_;  // claims of one directory on disk lie together, by name
};

}  // namespace rootfs

#endif  // ROOTFS_PATH_CLAIMS_H_
