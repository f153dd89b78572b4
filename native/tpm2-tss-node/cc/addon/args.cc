#include "args.h"

namespace addon {

namespace {

constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxBytes = 65536;

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
  if (!get(name, napi_object, &value)) return {};
  bool isBuffer = false;
  void* data = nullptr;
  std::size_t size = 0;
  if (napi_is_buffer(env_, value, &isBuffer) != napi_ok || !isBuffer ||
      napi_get_buffer_info(env_, value, &data, &size) != napi_ok || size > kMaxBytes) {
    spoil(name);
    return {};
  }
  const auto* first = static_cast<const uint8_t*>(data);
  return size == 0 ? tss::Bytes{} : tss::Bytes(first, first + size);
}

std::string Args::text(const char* name) {
  napi_value value = nullptr;
  std::string result;
  if (get(name, napi_string, &value) && !readText(env_, value, result)) spoil(name);
  return result;
}

}  // namespace addon
