#ifndef ROOTFS_ENTRY_CONTENT_H_
#define ROOTFS_ENTRY_CONTENT_H_

#include <string>
#include <vector>

#include "root.h"
#include "sha256.h"

namespace rootfs {

struct Hashed {
  Sha256Digest sha256;
  EntryStat stat;
};

// A file that was opened and judged, ready to be read into memory of exactly `bytes`.
struct ReadPlan {
  UniqueFd fd;
  EntryStat stat;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Verity {
  uint16_t algorithm;
  std::string digest;
};

// Hashes a regular file: kLimit above max_bytes before a byte is read, kChanged where stat moved or the file was short.
Result<Hashed> HashEntry(const Entry& entry, uint64_t max_bytes);

// The same for a file that is open for reading, with the stat that was taken before it was opened.
Result<Hashed> HashOpened(int fd, const EntryStat& stat);

// Opens a regular file and says how much of it is to be read; `length` below 0 means to its end. kType, kLimit.
Result<ReadPlan> PlanRead(const Entry& entry, uint64_t max_bytes, uint64_t offset, int64_t length);

struct Range {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// Parts of a regular file, each cut where the file ends, all of one state of it. kType, kLimit above max_bytes in all,
// kChanged.
Result<std::vector<std::string>> ReadRanges(const Entry& entry, const std::vector<Range>& ranges, uint64_t max_bytes);

// Carries a plan out. kChanged where the file was shorter or stat moved.
// Fills `part` with the bytes of the planned file from `offset` on, without a look at it afterwards.
Status ReadRange(const ReadPlan& plan, uint64_t offset, std::string* part);
// The first bytes of a regular file, fewer where it has no more: one read, which needs no second look.
Result<std::string> ReadHead(const Entry& entry, size_t bytes);
Status ReadPlanned(const ReadPlan& plan, void* into);

// Target of a symbolic link.
Result<std::string> ReadLinkFd(int link);

// A descriptor whose attributes are read: an O_PATH one only by its name in /proc, which is slower.
struct XattrSource {
  int fd;
  bool is_path_only;
};

// Value of one attribute of the entry itself; kNotFound where it is not set, kUnsupported for trusted.* unseen.
Result<std::string> GetXattr(XattrSource source, const std::string& name);

// Names of all attributes of the entry itself.
Result<std::vector<std::string>> ListXattrs(XattrSource source);

// Digest that fs-verity holds; kNotFound where it does not protect the file or is not there.
Result<Verity> MeasureVerity(const Entry& entry);

}  // namespace rootfs

#endif  // ROOTFS_ENTRY_CONTENT_H_
