#include "sift-object.h"

#include "addon-data.h"
#include "convert.h"

namespace rootfs {

Napi::Function SiftObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeSift",
                     {InstanceMethod<&SiftObject::Take>("take"), InstanceMethod<&SiftObject::Rest>("rest"),
                      InstanceMethod<&SiftObject::Heads>("heads")});
}

Napi::Value SiftObject::Wrap(Napi::Env env, std::unique_ptr<Sift> sift) {
  Napi::Object object = env.GetInstanceData<AddonData>()->sift.New({});
  Unwrap(object)->sift_ = std::move(sift);
  return object;
}

Napi::Value SiftObject::Take(const Napi::CallbackInfo& info) { return Tell(info.Env(), sift_->Take(ToBytes(info[0]))); }

Napi::Value SiftObject::Rest(const Napi::CallbackInfo& info) { return Tell(info.Env(), sift_->Rest()); }

Napi::Value SiftObject::Heads(const Napi::CallbackInfo& info) { return ToBuffer(info.Env(), sift_->Heads()); }

Napi::Value SiftObject::Tell(Napi::Env env, Result<std::string> sifted) {
  if (!sifted.ok() && sifted.status.code == Code::kType) {
    throw Napi::TypeError::New(env, "a survey record is malformed");
  }
  return ToBuffer(env, OrThrow(env, std::move(sifted)));
}

}  // namespace rootfs
