#include "convert.h"

#include <cstring>

namespace rootfs {

namespace {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kSystem:
      return "ERR_ROOTFS_SYSTEM";
    case Code::kLimit:
      return "ERR_ROOTFS_LIMIT";
    case Code::kChanged:
      return "ERR_ROOTFS_CHANGED";
    case Code::kEscape:
      return "ERR_ROOTFS_ESCAPE";
    case Code::kNotFound:
      return "ERR_ROOTFS_NOT_FOUND";
    case Code::kType:
      return "ERR_ROOTFS_TYPE";
    case Code::kUnsupported:
      return "ERR_ROOTFS_UNSUPPORTED";
    case Code::kClosed:
      return "ERR_ROOTFS_CLOSED";
  }
  return "ERR_ROOTFS_SYSTEM";
}

const char* Reason(const Status& status) {
  if (status.error != 0 && status.code != Code::kEscape) return std::strerror(status.error);
  switch (status.code) {
    case Code::kLimit:
      return "a limit was reached";
    case Code::kChanged:
      return "it changed while it was read";
    case Code::kEscape:
      return "the path leads out of the root or through too many links";
    case Code::kNotFound:
      return "nothing is there";
    case Code::kType:
      return "it is of another type";
    case Code::kUnsupported:
      return "not supported here";
    case Code::kClosed:
      return "it is closed";
    case Code::kSystem:
      break;
  }
  return "failed";
}

}  // namespace

Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, std::string(status.call) + ": " + Reason(status));
  error.Set("code", Napi::String::New(env, CodeName(status.code)));
  if (status.error != 0) error.Set("errno", Napi::Number::New(env, status.error));
  error.Set("syscall", Napi::String::New(env, status.call));
  return error;
}

Napi::Buffer<char> ToBuffer(Napi::Env env, const std::string& bytes) {
  return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
}

Napi::Buffer<char> ToStatBuffer(Napi::Env env, const EntryStat& stat) {
  std::string packed;
  AppendStat(stat, &packed);
  return ToBuffer(env, packed);
}

std::string ToBytes(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "a Buffer is needed");
  auto buffer = value.As<Napi::Buffer<char>>();
  return std::string(buffer.Data(), buffer.Length());
}

std::string_view ViewOf(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "a Buffer is needed");
  auto buffer = value.As<Napi::Buffer<char>>();
  return {buffer.Data(), buffer.Length()};
}

uint64_t ToCount(const Napi::Value& value) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), "a number is needed");
  double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= 9007199254740991.0)) throw Napi::RangeError::New(value.Env(), "a count is needed");
  return static_cast<uint64_t>(number);
}

}  // namespace rootfs
