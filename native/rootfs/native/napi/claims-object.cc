#include "claims-object.h"

#include "../many-paths.h"
#include "convert.h"

namespace rootfs {

namespace {

// The bytes of a buffer, for as long as the call lasts.
std::string_view ViewOf(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "a Buffer is needed");
  auto buffer = value.As<Napi::Buffer<char>>();
  return {buffer.Data(), buffer.Length()};
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
                         InstanceMethod<&ClaimsObject::Find>("find"),
                         InstanceMethod<&ClaimsObject::ListedIn>("listedIn"),
                         InstanceMethod<&ClaimsObject::Sift>("sift"),
                     });
}

ClaimsObject::ClaimsObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ClaimsObject>(info), claims_(ToCount(info[0])) {}

ClaimsObject::~ClaimsObject() { Tell(Env(), 0); }

void ClaimsObject::Tell(Napi::Env env, int64_t held) {
  Napi::MemoryManagement::AdjustExternalMemory(env, held - told_);
  told_ = held;
}

void ClaimsObject::Rename(const Napi::CallbackInfo& info) {
  claims_.Rename(Latin1Of(info[0]), Latin1Of(info[1]), Latin1Of(info[2]));
}

void ClaimsObject::AddLines(const Napi::CallbackInfo& info) {
  claims_.AddLines(ViewOf(info[0]), static_cast<uint32_t>(ToCount(info[1])), Latin1Of(info[2]));
}

void ClaimsObject::Add(const Napi::CallbackInfo& info) {
  claims_.Add(Latin1Of(info[0]), static_cast<uint32_t>(ToCount(info[1])));
}

Napi::Value ClaimsObject::IsFull(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), claims_.IsFull());
}

Napi::Value ClaimsObject::Directories(const Napi::CallbackInfo& info) {
  std::string packed;
  for (std::string_view directory : claims_.directories()) packed.append(directory).push_back('\0');
  return ToBuffer(info.Env(), packed);
}

void ClaimsObject::Settle(const Napi::CallbackInfo& info) {
  std::string_view packed = ViewOf(info[0]);
  std::vector<std::string_view> real;
  for (size_t at = 0; at < packed.size();) {
    size_t end = packed.find('\0', at);
    if (end == std::string_view::npos) end = packed.size();
    real.push_back(packed.substr(at, end - at));
    at = end + 1;
  }
  claims_.Settle(real);
  Tell(info.Env(), static_cast<int64_t>(claims_.HeldBytes()));
}

bool ClaimsObject::Look(const Napi::CallbackInfo& info, PathClaims::Found* found) const {
  return claims_.Find(claims_.FindDirectory(Latin1Of(info[0])), Latin1Of(info[1]), found);
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

Napi::Value ClaimsObject::Sift(const Napi::CallbackInfo& info) {
  SiftRule rule{SplitPaths(ViewOf(info[1])), ToCount(info[2])};
  std::string sifted;
  if (!SiftClaimed(claims_, rule, ViewOf(info[0]), &sifted)) {
    throw Napi::TypeError::New(info.Env(), "a survey record is malformed");
  }
  return ToBuffer(info.Env(), sifted);
}

}  // namespace rootfs
