#ifndef ROOTFS_READ_FILES_H_
#define ROOTFS_READ_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

namespace rootfs {

// Reads regular files to their end, whatever size they are said to have: the kernel makes some as they are read. Packs
// for each its length (u32, all ones where there is none to read or it is longer than max_bytes) and its bytes.
std::string ReadFiles(const std::vector<std::string>& paths, size_t max_bytes);

}  // namespace rootfs

#endif  // ROOTFS_READ_FILES_H_
