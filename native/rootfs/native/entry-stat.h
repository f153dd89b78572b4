#ifndef ROOTFS_ENTRY_STAT_H_
#define ROOTFS_ENTRY_STAT_H_

#include <cstdint>
#include <string>

#include "status.h"

namespace rootfs {

enum class EntryType : uint8_t { kFile, kDirectory, kSymlink, kChar, kBlock, kFifo, kSocket };

// What says that two descriptors are the same object on the same mount. The birth time tells a reused inode number.
struct Identity {
  uint32_t dev_major = 0;
  uint32_t dev_minor = 0;
  uint64_t ino = 0;
  uint64_t mount_id = 0;
  bool has_mount_id = false;
  int64_t birth_ns = 0;

  bool operator==(const Identity& other) const;
  // Whether both lie on one mount; by device alone where the kernel gives no mount ids.
  bool SameMount(const Identity& other) const;
};

struct EntryStat {
  EntryType type = EntryType::kFile;
  uint16_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t nlink = 0;
  uint64_t size = 0;
  uint32_t rdev_major = 0;
  uint32_t rdev_minor = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t blocks = 0;
  Identity identity;

  // Whether content may be taken for the same: size, mtime and ctime stand still.
  bool SameContent(const EntryStat& other) const;
};

constexpr size_t kStatBytes = 80;

// Stat of an open descriptor, O_PATH ones too.
Result<EntryStat> StatFd(int fd);
// Stat of one name in a directory, never following a link.
Result<EntryStat> StatName(int directory, const char* name);
// Appends the 80 bytes that src/root-stat.ts decodes.
void AppendStat(const EntryStat& stat, std::string* out);

// Appends an integer in little-endian order.
template <typename T>
void AppendInteger(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); i++) out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
}

}  // namespace rootfs

#endif  // ROOTFS_ENTRY_STAT_H_
