// Reads the fields of one argument object. The first field that is not as it should be spoils the whole.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>

#include <string>
#include <vector>

#include "../tss/bytes.h"

namespace addon {

class Args {
 public:
  Args(napi_env env, napi_value object) : env_(env), object_(object) {}

  uint32_t number(const char* name);
  bool flag(const char* name);
  tss::Bytes bytes(const char* name);
  std::vector<tss::Bytes> bytesList(const char* name);
  std::string text(const char* name);
  bool ok() const { return bad_ == nullptr; }
  // Name of the field that spoilt it.
  const char* bad() const { return bad_; }

 private:
  bool get(const char* name, napi_valuetype type, napi_value* value);
  bool readBytes(napi_value value, tss::Bytes* out);
  void spoil(const char* name);

  napi_env env_;
  napi_value object_;
  const char* bad_ = nullptr;
};

// Text argument of at most `capacity` bytes; false where it is none.
bool readText(napi_env env, napi_value value, std::string& out);

}  // namespace addon
