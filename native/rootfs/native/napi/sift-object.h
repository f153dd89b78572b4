#ifndef ROOTFS_NAPI_SIFT_OBJECT_H_
#define ROOTFS_NAPI_SIFT_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../sift.h"

namespace rootfs {

// NativeSift of src/native.ts.
class SiftObject : public Napi::ObjectWrap<SiftObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Wrap(Napi::Env env, std::unique_ptr<Sift> sift);

  explicit SiftObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SiftObject>(info) {}

 private:
  Napi::Value Take(const Napi::CallbackInfo& info);
  Napi::Value Rest(const Napi::CallbackInfo& info);
  Napi::Value Heads(const Napi::CallbackInfo& info);
  static Napi::Value Tell(Napi::Env env, Result<std::string> sifted);

  std::unique_ptr<Sift> sift_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_SIFT_OBJECT_H_
