#ifndef ROOTFS_NAPI_READS_OBJECT_H_
#define ROOTFS_NAPI_READS_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../many-paths.h"

namespace rootfs {

// NativeReads of src/native.ts.
class ReadsObject : public Napi::ObjectWrap<ReadsObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Wrap(Napi::Env env, std::unique_ptr<ManyReads> reads);

  explicit ReadsObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReadsObject>(info) {}

 private:
  Napi::Value Take(const Napi::CallbackInfo& info);

  std::unique_ptr<ManyReads> reads_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_READS_OBJECT_H_
