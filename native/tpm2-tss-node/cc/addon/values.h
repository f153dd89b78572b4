// Result structs as JavaScript values. A null napi_value means that the environment is ending.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>

#include <string>
#include <vector>

#include "../tss/attest.h"
#include "../tss/information.h"
#include "../tss/keys.h"

namespace addon {

napi_value toJs(napi_env env, const tss::Nothing& value);
napi_value toJs(napi_env env, uint32_t value);
napi_value toJs(napi_env env, bool value);
napi_value toJs(napi_env env, const std::string& value);
napi_value toJs(napi_env env, const tss::Bytes& value);
napi_value toJs(napi_env env, const std::vector<tss::Bytes>& value);
napi_value toJs(napi_env env, const std::vector<TPM2_HANDLE>& value);
napi_value toJs(napi_env env, const tss::Capability& value);
napi_value toJs(napi_env env, const tss::PcrValues& value);
napi_value toJs(napi_env env, const tss::HashReply& value);
napi_value toJs(napi_env env, const tss::PrimaryObject& value);
napi_value toJs(napi_env env, const tss::CreatedObject& value);
napi_value toJs(napi_env env, const tss::LoadedObject& value);
napi_value toJs(napi_env env, const tss::ObjectPublic& value);
napi_value toJs(napi_env env, const tss::Attestation& value);
napi_value toJs(napi_env env, const std::vector<tss::Attestation>& value);
napi_value toJs(napi_env env, const tss::SignReply& value);
// { rc, command, text, broken, selfTest }
napi_value toJs(napi_env env, const tss::Status& status, bool broken);

struct Field {
  const char* name;
  napi_value value;
};
napi_value makeObject(napi_env env, std::initializer_list<Field> fields);

}  // namespace addon
