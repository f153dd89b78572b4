#include "values.h"

#include <tss2/tss2_rc.h>

#include <mutex>

namespace addon {

namespace {

template <typename Items>
napi_value toArray(napi_env env, const Items& items) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, items.size(), &array) != napi_ok) return nullptr;
  uint32_t index = 0;
  for (const auto& item : items) {
    const napi_value value = toJs(env, item);
    if (value == nullptr || napi_set_element(env, array, index++, value) != napi_ok) return nullptr;
  }
  return array;
}

// The decoder keeps a static buffer for codes that it does not know.
std::string describe(TSS2_RC rc) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  const char* text = Tss2_RC_Decode(rc);
  return text == nullptr ? "unknown response code" : text;
}

constexpr char kSelfTestText[] =
    "the cryptographic self-test failed: libtss2-esys does not compute correctly in this process "
    "(another OpenSSL in its place?), or the line to the TPM is tampered with";

}  // namespace

napi_value makeObject(napi_env env, std::initializer_list<Field> fields) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  for (const Field& field : fields) {
    if (field.value == nullptr || napi_set_named_property(env, object, field.name, field.value) != napi_ok) {
      return nullptr;
    }
  }
  return object;
}

napi_value toJs(napi_env env, const tss::Nothing&) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

napi_value toJs(napi_env env, uint32_t value) {
  napi_value result = nullptr;
  napi_create_uint32(env, value, &result);
  return result;
}

napi_value toJs(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value toJs(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

napi_value toJs(napi_env env, const tss::Bytes& value) {
  napi_value result = nullptr;
  napi_create_buffer_copy(env, value.size(), value.data(), nullptr, &result);
  return result;
}

napi_value toJs(napi_env env, const std::vector<tss::Bytes>& value) { return toArray(env, value); }

napi_value toJs(napi_env env, const std::vector<TPM2_HANDLE>& value) { return toArray(env, value); }

napi_value toJs(napi_env env, const tss::Capability& value) {
  return makeObject(env, {{"moreData", toJs(env, value.moreData)}, {"data", toJs(env, value.data)}});
}

napi_value toJs(napi_env env, const tss::PcrValues& value) {
  return makeObject(env, {{"updateCounter", toJs(env, value.updateCounter)},
                          {"selection", toJs(env, value.selection)},
                          {"digests", toJs(env, value.digests)}});
}

napi_value toJs(napi_env env, const tss::HashReply& value) {
  return makeObject(env, {{"digest", toJs(env, value.digest)}, {"ticket", toJs(env, value.ticket)}});
}

napi_value toJs(napi_env env, const tss::PrimaryObject& value) {
  return makeObject(
      env,
      {{"handle", toJs(env, value.handle)}, {"public", toJs(env, value.publicArea)}, {"name", toJs(env, value.name)}});
}

napi_value toJs(napi_env env, const tss::CreatedObject& value) {
  return makeObject(env, {{"private", toJs(env, value.privateArea)}, {"public", toJs(env, value.publicArea)}});
}

napi_value toJs(napi_env env, const tss::LoadedObject& value) {
  return makeObject(env, {{"handle", toJs(env, value.handle)}, {"name", toJs(env, value.name)}});
}

napi_value toJs(napi_env env, const tss::ObjectPublic& value) {
  return makeObject(env, {{"public", toJs(env, value.publicArea)},
                          {"name", toJs(env, value.name)},
                          {"qualifiedName", toJs(env, value.qualifiedName)}});
}

napi_value toJs(napi_env env, const tss::Attestation& value) {
  return makeObject(env, {{"attest", toJs(env, value.attest)}, {"signature", toJs(env, value.signature)}});
}

napi_value toJs(napi_env env, const std::vector<tss::Attestation>& value) { return toArray(env, value); }

napi_value toJs(napi_env env, const tss::SignReply& value) {
  return makeObject(env, {{"signature", toJs(env, value.signature)}});
}

napi_value toJs(napi_env env, const tss::Status& status, bool broken) {
  const std::string text = status.selfTest ? kSelfTestText : describe(status.rc);
  return makeObject(env, {{"rc", toJs(env, status.rc)},
                          {"command", toJs(env, std::string(status.command))},
                          {"text", toJs(env, text)},
                          {"broken", toJs(env, broken)},
                          {"selfTest", toJs(env, status.selfTest)}});
}

}  // namespace addon
