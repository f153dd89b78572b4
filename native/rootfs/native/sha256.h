#ifndef ROOTFS_SHA256_H_
#define ROOTFS_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace rootfs {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 by the OpenSSL inside the node executable, found by symbol name; nothing is linked. One object per thread.
class Sha256 {
 public:
  // Whether the symbols are there and give the digest of FIPS 180-4's "abc"; tried once.
  static bool Works();

  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  // Each returns false where OpenSSL refuses.
  bool Begin();
  bool Update(const void* data, size_t bytes);
  bool Finish(Sha256Digest* digest);

 private:
  void* context_;
};

}  // namespace rootfs

#endif  // ROOTFS_SHA256_H_
