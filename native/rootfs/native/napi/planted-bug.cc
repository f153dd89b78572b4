// Compiled into the AddressSanitizer build only, which must catch it: a suite that finds nothing here finds nothing.
#include <napi.h>

#include <memory>

#include "addon-data.h"

namespace rootfs {

Napi::Value PlantedBug(const Napi::CallbackInfo& info) {
  std::unique_ptr<uint8_t[]> bytes(new uint8_t[8]());
  volatile size_t past_the_end = 8;
  return Napi::Number::New(info.Env(), bytes[past_the_end]);
}

}  // namespace rootfs
