#include "walker-object.h"

#include "addon-data.h"
#include "convert.h"
#include "pool-task.h"

namespace rootfs {

namespace {

Napi::Value ToBatch(Napi::Env env, const std::string& batch) {
  if (batch.empty()) return env.Undefined();
  return ToBuffer(env, batch);
}

}  // namespace

Napi::Function WalkerObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeWalker",
                     {
                         InstanceMethod<&WalkerObject::Next>("next"),
                         InstanceMethod<&WalkerObject::NextAsync>("nextAsync"),
                         InstanceMethod<&WalkerObject::Close>("close"),
                     });
}

Napi::Value WalkerObject::Wrap(Napi::Env env, std::unique_ptr<Walker> walker) {
  Napi::Object object = env.GetInstanceData<AddonData>()->walker.New({});
  auto shared = std::make_shared<Shared>();
  shared->walker = std::move(walker);
  Unwrap(object)->shared_ = std::move(shared);
  return object;
}

std::shared_ptr<WalkerObject::Shared> WalkerObject::Take(Napi::Env env) {
  if (shared_ == nullptr || shared_->walker == nullptr) throw ToError(env, Status::Fail(Code::kClosed, 0, "walk"));
  if (shared_->busy.exchange(true)) throw Napi::TypeError::New(env, "the walk is making a batch already");
  return shared_;
}

Napi::Value WalkerObject::Next(const Napi::CallbackInfo& info) {
  std::shared_ptr<Shared> shared = Take(info.Env());
  Result<std::string> batch = shared->walker->Next();
  shared->busy = false;
  return ToBatch(info.Env(), OrThrow(info.Env(), std::move(batch)));
}

Napi::Value WalkerObject::NextAsync(const Napi::CallbackInfo& info) {
  std::shared_ptr<Shared> shared = Take(info.Env());
  auto work = [shared] {
    Result<std::string> batch = shared->walker->Next();
    shared->busy = false;
    return batch;
  };
  return PoolTask::Run(
      info.Env(), 1, [] {}, work, ToBatch);
}

}  // namespace rootfs
