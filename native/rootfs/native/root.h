#ifndef ROOTFS_ROOT_H_
#define ROOTFS_ROOT_H_

#include <string>
#include <string_view>
#include <vector>

#include "entry-stat.h"
#include "status.h"
#include "unique-fd.h"

namespace rootfs {

// A descriptor of an entry, an O_PATH one but for directories that are to be listed, and the stat of the very same
// object.
struct Entry {
  UniqueFd fd;
  EntryStat stat;
};

// A directory that foreign paths are opened beneath. Immutable after Open; safe for several threads.
class Root {
 public:
  // `path` is trusted.
  static Result<Root> Open(const std::string& path, bool follow_parents);

  // Opens the entry itself as O_PATH. No link, race or mount leads out of the root. kNotFound, kEscape, kChanged.
  Result<Entry> Find(std::string_view path) const;
  // Find, and kType unless it is of that type.
  Result<Entry> Find(std::string_view path, EntryType type) const;
  // The same for a directory, opened for getdents at once: what is none is kNotFound or kType, and is not opened.
  Result<Entry> OpenDirectory(std::string_view path) const;
  // The same without a look at what was opened: openat2 crosses no mount.
  Result<UniqueFd> OpenToList(std::string_view path) const;
  // Of a directory in one that is open.
  Result<UniqueFd> OpenToList(int directory, const std::string& name) const;
  // One name, as getdents gives it, in a directory that is open.
  Result<Entry> FindName(int directory, const std::string& name) const;

  const Identity& identity() const { return identity_; }

 private:
  Result<UniqueFd> OpenWhole(const std::vector<std::string_view>& parts, uint64_t flags) const;
  Result<UniqueFd> OpenInChunks(const std::vector<std::string_view>& parts) const;

  UniqueFd fd_;
  Identity identity_;
  bool follow_parents_ = false;
};

// Splits at slashes; empty parts and `.` fall away.
std::vector<std::string_view> SplitPath(std::string_view path);

// The same as Root::Find without openat2: part by part with O_NOFOLLOW, links resolved by hand inside the root.
Result<UniqueFd> OpenByParts(int root, const Identity& root_identity, const std::vector<std::string_view>& parts,
                             bool follow_parents);

}  // namespace rootfs

#endif  // ROOTFS_ROOT_H_
