#include <napi.h>

#include "../capabilities.h"
#include "../many-paths.h"
#include "../read-deadline.h"
#include "../read-files.h"
#include "../sha256.h"
#include "../thread-priority.h"
#include "addon-data.h"
#include "convert.h"

namespace rootfs {

namespace {

Napi::Value OpenRoot(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<AddonData>()->root.New({info[0], info[1]});
}

Napi::Value Watch(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<AddonData>()->watch.New({info[0], info[1]});
}

Napi::Value CreateClaims(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<AddonData>()->claims.New({info[0]});
}

Napi::Value HashBytes(const Napi::CallbackInfo& info) {
  const std::string_view bytes = ViewOf(info[0]);
  Sha256 sha256;
  Sha256Digest digest;
  if (!sha256.Begin() || !sha256.Update(bytes.data(), bytes.size()) || !sha256.Finish(&digest)) {
    throw ToError(info.Env(), Status::Fail(Code::kUnsupported, 0, "EVP_DigestFinal_ex"));
  }
  return Napi::Buffer<uint8_t>::Copy(info.Env(), digest.data(), digest.size());
}

Napi::Value ReadFilesOf(const Napi::CallbackInfo& info) {
  return ToBuffer(info.Env(), ReadFiles(SplitPaths(ViewOf(info[0])), ToCount(info[1])));
}

void SetDeadline(const Napi::CallbackInfo& info) { SetReadDeadline(ToCount(info[0])); }

void LowerPriority(const Napi::CallbackInfo& info) {
  Status lowered = LowerThreadPriority(info[0].ToBoolean());
  if (!lowered.ok) throw ToError(info.Env(), lowered);
}

Napi::Value Capabilities(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object all = Napi::Object::New(env);
  for (const Capability& capability : ProbeCapabilities(ToBytes(info[0]))) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("works", Napi::Boolean::New(env, capability.works));
    one.Set("detail", Napi::String::New(env, capability.detail));
    all.Set(capability.name, one);
  }
  return all;
}

Napi::Object Load(Napi::Env env, Napi::Object exports) {
  if (!Sha256::Works()) throw Napi::Error::New(env, "SHA-256 of node's own OpenSSL is not found or wrong");
  auto* data = new AddonData();
  data->root = Napi::Persistent(RootObject::Define(env));
  data->walker = Napi::Persistent(WalkerObject::Define(env));
  data->reads = Napi::Persistent(ReadsObject::Define(env));
  data->survey = Napi::Persistent(SurveyObject::Define(env));
  data->watch = Napi::Persistent(WatchObject::Define(env));
  data->claims = Napi::Persistent(ClaimsObject::Define(env));
  data->sift = Napi::Persistent(SiftObject::Define(env));
  env.SetInstanceData(data);
  exports.Set("openRoot", Napi::Function::New(env, OpenRoot));
  exports.Set("watch", Napi::Function::New(env, Watch));
  exports.Set("createClaims", Napi::Function::New(env, CreateClaims));
  exports.Set("hashBytes", Napi::Function::New(env, HashBytes));
  exports.Set("readFiles", Napi::Function::New(env, ReadFilesOf));
  exports.Set("setDeadline", Napi::Function::New(env, SetDeadline));
  exports.Set("lowerPriority", Napi::Function::New(env, LowerPriority));
  exports.Set("capabilities", Napi::Function::New(env, Capabilities));
  return exports;
}

}  // namespace

}  // namespace rootfs

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return rootfs::Load(env, exports); }

NODE_API_MODULE(rootfs, Init)
