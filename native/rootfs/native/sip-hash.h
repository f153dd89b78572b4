#ifndef ROOTFS_SIP_HASH_H_
#define ROOTFS_SIP_HASH_H_

#include <cstdint>
#include <string_view>

namespace rootfs {

// SipHash-1-3 under a key that is drawn once for the process: whoever makes the names cannot make them collide.
uint64_t SipHash(std::string_view text);

struct SipHasher {
  size_t operator()(std::string_view text) const { return static_cast<size_t>(SipHash(text)); }
};

}  // namespace rootfs

#endif  // ROOTFS_SIP_HASH_H_
