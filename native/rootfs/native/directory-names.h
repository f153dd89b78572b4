#ifndef ROOTFS_DIRECTORY_NAMES_H_
#define ROOTFS_DIRECTORY_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "status.h"

namespace rootfs {

// Names of one directory in one block of memory.
class DirectoryNames {
 public:
  size_t size() const { return spans_.size(); }
  size_t bytes() const { return bytes_.size(); }
  std::string_view operator[](size_t index) const;
  // `type` is the d_type of getdents64: what the directory says of the entry, or DT_UNKNOWN. `ino` is its d_ino.
  void Add(std::string_view name, uint8_t type = 0, uint64_t ino = 0);
  uint8_t TypeAt(size_t index) const { return spans_[index].type; }
  uint64_t InoAt(size_t index) const { return spans_[index].ino; }
  // By bytes, as memcmp orders them.
  void Sort();
  // Whether a sorted list has this name for this inode.
  bool Holds(std::string_view name, uint64_t ino) const;
  // Each name as its length (u16, little-endian) and bytes.
  std::string Pack() const;

 private:
  struct Span {
    uint64_t ino;
    uint32_t at;
    uint16_t bytes;
    uint8_t type;
  };
  std::string bytes_;
  std::vector<Span> spans_;
};

// Reads all names but . and .. with getdents64; kLimit as soon as there are more than max_entries.
Result<DirectoryNames> ReadNames(int directory, uint64_t max_entries);

}  // namespace rootfs

#endif  // ROOTFS_DIRECTORY_NAMES_H_
