#include "reads-object.h"

#include "addon-data.h"
#include "convert.h"

namespace rootfs {

Napi::Function ReadsObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeReads", {InstanceMethod<&ReadsObject::Take>("take")});
}

Napi::Value ReadsObject::Wrap(Napi::Env env, std::unique_ptr<ManyReads> reads) {
  Napi::Object object = env.GetInstanceData<AddonData>()->reads.New({});
  Unwrap(object)->reads_ = std::move(reads);
  return object;
}

Napi::Value ReadsObject::Take(const Napi::CallbackInfo& info) {
  if (reads_ == nullptr) throw ToError(info.Env(), Status::Fail(Code::kClosed, 0, "read"));
  std::unique_ptr<ManyReads> reads = std::move(reads_);
  return ToBuffer(info.Env(), reads->Take());
}

}  // namespace rootfs
