#ifndef ROOTFS_NAPI_WALKER_OBJECT_H_
#define ROOTFS_NAPI_WALKER_OBJECT_H_

#include <napi.h>

#include <atomic>
#include <memory>

#include "../walker.h"

namespace rootfs {

// NativeWalker of src/native.ts.
class WalkerObject : public Napi::ObjectWrap<WalkerObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Wrap(Napi::Env env, std::unique_ptr<Walker> walker);

  explicit WalkerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WalkerObject>(info) {}

 private:
  // Shared with the pool thread that makes a batch; one user at a time.
  struct Shared {
    std::unique_ptr<Walker> walker;
    std::atomic<bool> busy{false};
  };

  std::shared_ptr<Shared> Take(Napi::Env env);
  Napi::Value Next(const Napi::CallbackInfo& info);
  Napi::Value NextAsync(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo&) { shared_.reset(); }

  std::shared_ptr<Shared> shared_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_WALKER_OBJECT_H_
