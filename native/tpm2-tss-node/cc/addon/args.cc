#include "args.h"

namespace addon {

namespace {

constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxBytes = 65536;
constexpr uint32_t kMaxList = 64;

}  // namespace

bool readText(napi_env env, napi_value value, std::string& out) {
  std::size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok || size > kMaxText) return false;
  out.resize(size + 1);
  if (napi_get_value_string_utf8(env, value, out.data(), out.size(), &size) != napi_ok) return false;
  out.resize(size);
  return true;
}

void Args::spoil(const char* name) {
  if (bad_ == nullptr) bad_ = name;
  // A getter of the caller may have thrown: the report of the field takes its place.
  bool pending = false;
  napi_value ignored = nullptr;
  if (napi_is_exception_pending(env_, &pending) == napi_ok && pending)
    napi_get_and_clear_last_exception(env_, &ignored);
}

bool Args::get(const char* name, napi_valuetype type, napi_value* value) {
  napi_valuetype actual = napi_undefined;
  if (napi_get_named_property(env_, object_, name, value) != napi_ok || napi_typeof(env_, *value, &actual) != napi_ok ||
      actual != type) {
    spoil(name);
    return false;
  }
  return true;
}

uint32_t Args::number(const char* name) {
  napi_value value = nullptr;
  uint32_t result = 0;
  if (get(name, napi_number, &value) && napi_get_value_uint32(env_, value, &result) != napi_ok) spoil(name);
  return result;
}

bool Args::flag(const char* name) {
  napi_value value = nullptr;
  bool result = false;
  if (get(name, napi_boolean, &value) && napi_get_value_bool(env_, value, &result) != napi_ok) spoil(name);
  return result;
}

tss::Bytes Args::bytes(const char* name) {
  napi_value value = nullptr;
  tss::Bytes result;
  if (get(name, napi_object, &value) && !readBytes(value, &result)) spoil(name);
  return result;
}

std::vector<tss::Bytes> Args::bytesList(const char* name) {
  napi_value list = nullptr;
  if (!get(name, napi_object, &list)) return {};
  bool isArray = false;
  uint32_t length = 0;
  if (napi_is_array(env_, list, &isArray) != napi_ok || !isArray ||
      napi_get_array_length(env_, list, &length) != napi_ok || length > kMaxList) {
    spoil(name);
    return {};
  }
  std::vector<tss::Bytes> result(length);
  for (uint32_t at = 0; at < length; at += 1) {
    napi_value value = nullptr;
    if (napi_get_element(env_, list, at, &value) != napi_ok || !readBytes(value, &result[at])) {
      spoil(name);
      return {};
    }
  }
  return result;
}

bool Args::readBytes(napi_value value, tss::Bytes* out) {
  bool isBuffer = false;
  void* data = nullptr;
  std::size_t size = 0;
  if (napi_is_buffer(env_, value, &isBuffer) != napi_ok || !isBuffer ||
      napi_get_buffer_info(env_, value, &data, &size) != napi_ok || size > kMaxBytes) {
    return false;
  }
  const auto* first = static_cast<const uint8_t*>(data);
  if (size > 0) out->assign(first, first + size);
  return true;
}

std::string Args::text(const char* name) {
  napi_value value = nullptr;
  std::string result;
  if (get(name, napi_string, &value) && !readText(env_, value, result)) spoil(name);
  return result;
}

}  // namespace addon
