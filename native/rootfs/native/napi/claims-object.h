#ifndef ROOTFS_NAPI_CLAIMS_OBJECT_H_
#define ROOTFS_NAPI_CLAIMS_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../path-claims.h"

namespace rootfs {

// NativeClaims of src/native.ts.
class ClaimsObject : public Napi::ObjectWrap<ClaimsObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  // new ClaimsObject(maxBytes)
  explicit ClaimsObject(const Napi::CallbackInfo& info);
  ~ClaimsObject() override;

  // Of an object of this class; anything else is an exception.
  static std::shared_ptr<const PathClaims> ClaimsOf(const Napi::Value& value);

 private:
  void Rename(const Napi::CallbackInfo& info);
  void AddLines(const Napi::CallbackInfo& info);
  void Add(const Napi::CallbackInfo& info);
  Napi::Value IsFull(const Napi::CallbackInfo& info);
  Napi::Value Directories(const Napi::CallbackInfo& info);
  void Settle(const Napi::CallbackInfo& info);
  Napi::Value FindLinked(const Napi::CallbackInfo& info);
  void SettleLinked(const Napi::CallbackInfo& info);
  Napi::Value Find(const Napi::CallbackInfo& info);
  Napi::Value ListedIn(const Napi::CallbackInfo& info);
  bool Look(const Napi::CallbackInfo& info, PathClaims::Found* found) const;

  void Tell(Napi::Env env, int64_t held);

  std::shared_ptr<PathClaims> claims_;
  int64_t told_ = 0;  // bytes that the garbage collector knows of
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_CLAIMS_OBJECT_H_
