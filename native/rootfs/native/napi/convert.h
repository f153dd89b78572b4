#ifndef ROOTFS_NAPI_CONVERT_H_
#define ROOTFS_NAPI_CONVERT_H_

#include <napi.h>

#include <string>
#include <string_view>

#include "../entry-stat.h"
#include "../status.h"

namespace rootfs {

// The error that src/rootfs-error.ts turns into a RootfsError.
Napi::Error ToError(Napi::Env env, const Status& status);

// The value, or a thrown error.
template <typename T>
T OrThrow(Napi::Env env, Result<T> result) {
  if (!result.ok()) throw ToError(env, result.status);
  return std::move(result.value);
}

Napi::Buffer<char> ToBuffer(Napi::Env env, const std::string& bytes);
Napi::Buffer<char> ToStatBuffer(Napi::Env env, const EntryStat& stat);

// Arguments were checked by the TypeScript side; a wrong one is still an exception and never a wild read.
std::string ToBytes(const Napi::Value& value);
// The bytes of a buffer, for as long as the call lasts.
std::string_view ViewOf(const Napi::Value& value);
uint64_t ToCount(const Napi::Value& value);

}  // namespace rootfs

#endif  // ROOTFS_NAPI_CONVERT_H_
