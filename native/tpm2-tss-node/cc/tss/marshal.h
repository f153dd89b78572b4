// Wire format both ways through libtss2-mu.
#pragma once

#include <tss2/tss2_mu.h>

#include "bytes.h"
#include "result.h"

namespace tss {

inline constexpr std::size_t kMaxStructure = 8192;

template <typename T>
TSS2_RC pack(TSS2_RC (*marshal)(const T*, uint8_t*, std::size_t, std::size_t*), const T& value, Bytes& out) {
  out.resize(kMaxStructure);
  std::size_t size = 0;
  TSS2_RC rc = marshal(&value, out.data(), out.size(), &size);
  out.resize(rc == TSS2_RC_SUCCESS ? size : 0);
  return rc;
}

// Refuses trailing bytes, which libtss2-mu does not.
template <typename T>
TSS2_RC unpack(TSS2_RC (*unmarshal)(const uint8_t*, std::size_t, std::size_t*, T*), const Bytes& bytes, T& out) {
  std::size_t used = 0;
  TSS2_RC rc = unmarshal(bytes.data(), bytes.size(), &used, &out);
  if (rc == TSS2_RC_SUCCESS && used != bytes.size()) return TSS2_MU_RC_BAD_SIZE;
  return rc;
}

}  // namespace tss
