#ifndef ROOTFS_CAPABILITIES_H_
#define ROOTFS_CAPABILITIES_H_

#include <string>
#include <vector>

namespace rootfs {

struct Capability {
  const char* name;
  bool works;
  std::string detail;
};

// Tries each feature for the file system at a path of the host, changing nothing.
std::vector<Capability> ProbeCapabilities(const std::string& path);

}  // namespace rootfs

#endif  // ROOTFS_CAPABILITIES_H_
