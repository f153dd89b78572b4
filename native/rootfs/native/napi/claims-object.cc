#include "claims-object.h"

#include <algorithm>

#include "../many-paths.h"
#include "addon-data.h"
#include "convert.h"

namespace rootfs {

namespace {

// Texts each ended by NUL.
std::string Pack(const std::vector<std::string_view>& texts) {
  std::string packed;
  for (std::string_view text : texts) packed.append(text).push_back('\0');
  return packed;
}

std::vector<std::string_view> Split(std::string_view packed) {
  std::vector<std::string_view> texts;
  for (size_t at = 0; at < packed.size();) {
    const size_t end = std::min(packed.find('\0', at), packed.size());
    texts.push_back(packed.substr(at, end - at));
    at = end + 1;
  }
  return texts;
}

// A path that has one character a byte.
std::string Latin1Of(const Napi::Value& value) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), "a string is needed");
  size_t bytes = 0;
  napi_get_value_string_latin1(value.Env(), value, nullptr, 0, &bytes);
  std::string text(bytes, '\0');
  napi_get_value_string_latin1(value.Env(), value, text.data(), bytes + 1, &bytes);
  return text;
}

}  // namespace

Napi::Function ClaimsObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeClaims",
                     {
                         InstanceMethod<&ClaimsObject::Rename>("rename"),
                         InstanceMethod<&ClaimsObject::AddLines>("addLines"),
                         InstanceMethod<&ClaimsObject::Add>("add"),
                         InstanceMethod<&ClaimsObject::IsFull>("isFull"),
                         InstanceMethod<&ClaimsObject::Directories>("directories"),
                         InstanceMethod<&ClaimsObject::Settle>("settle"),
                         InstanceMethod<&ClaimsObject::FindLinked>("findLinked"),
                         InstanceMethod<&ClaimsObject::SettleLinked>("settleLinked"),
                         InstanceMethod<&ClaimsObject::Find>("find"),
                         InstanceMethod<&ClaimsObject::ListedIn>("listedIn"),
                     });
}

ClaimsObject::ClaimsObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ClaimsObject>(info), claims_(std::make_shared<PathClaims>(ToCount(info[0]))) {}

std::shared_ptr<const PathClaims> ClaimsObject::ClaimsOf(const Napi::Value& value) {
  Napi::Env env = value.Env();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(env.GetInstanceData<AddonData>()->claims.Value())) {
    throw Napi::TypeError::New(env, "claims are needed");
  }
  return Unwrap(value.As<Napi::Object>())->claims_;
}

ClaimsObject::~ClaimsObject() { Tell(Env(), 0); }

void ClaimsObject::Tell(Napi::Env env, int64_t held) {
  Napi::MemoryManagement::AdjustExternalMemory(env, held - told_);
  told_ = held;
}

void ClaimsObject::Rename(const Napi::CallbackInfo& info) {
  claims_->Rename(Latin1Of(info[0]), Latin1Of(info[1]), Latin1Of(info[2]));
}

void ClaimsObject::AddLines(const Napi::CallbackInfo& info) {
  claims_->AddLines(ViewOf(info[0]), static_cast<uint32_t>(ToCount(info[1])), Latin1Of(info[2]));
}

void ClaimsObject::Add(const Napi::CallbackInfo& info) {
  claims_->Add(Latin1Of(info[0]), static_cast<uint32_t>(ToCount(info[1])));
}

Napi::Value ClaimsObject::IsFull(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), claims_->IsFull());
}

Napi::Value ClaimsObject::Directories(const Napi::CallbackInfo& info) {
  return ToBuffer(info.Env(), Pack(claims_->directories()));
}

void ClaimsObject::Settle(const Napi::CallbackInfo& info) {
  claims_->Settle(Split(ViewOf(info[0])));
  Tell(info.Env(), static_cast<int64_t>(claims_->HeldBytes()));
}

Napi::Value ClaimsObject::FindLinked(const Napi::CallbackInfo& info) {
  return ToBuffer(info.Env(), Pack(claims_->FindLinked(SplitPaths(ViewOf(info[0])))));
}

void ClaimsObject::SettleLinked(const Napi::CallbackInfo& info) {
  claims_->SettleLinked(Split(ViewOf(info[0])));
  Tell(info.Env(), static_cast<int64_t>(claims_->HeldBytes()));
}

bool ClaimsObject::Look(const Napi::CallbackInfo& info, PathClaims::Found* found) const {
  return claims_->Find(claims_->FindDirectory(Latin1Of(info[0])), Latin1Of(info[1]), found);
}

Napi::Value ClaimsObject::Find(const Napi::CallbackInfo& info) {
  PathClaims::Found found;
  if (!Look(info, &found)) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), found.owner);
}

Napi::Value ClaimsObject::ListedIn(const Napi::CallbackInfo& info) {
  PathClaims::Found found;
  if (!Look(info, &found)) return info.Env().Undefined();
  return ToBuffer(info.Env(), std::string(found.listed));
}

}  // namespace rootfs
