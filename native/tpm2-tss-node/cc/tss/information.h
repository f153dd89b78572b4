// Commands that read from the TPM or feed it data, without keys.
#pragma once

#include <vector>

#include "bytes.h"
#include "context.h"

namespace tss {

struct GetRandomRequest {
  uint32_t bytes;
  ESYS_TR saltKey;
  ESYS_TR session;
};
Result<Bytes> getRandom(Context& context, const GetRandomRequest& request);

struct GetCapabilityRequest {
  TPM2_CAP capability;
  uint32_t property;
  uint32_t count;
};
struct Capability {
  bool moreData = false;
  Bytes data;
};
Result<Capability> getCapability(Context& context, const GetCapabilityRequest& request);

struct ListHandlesRequest {
  TPM2_HANDLE first;
};
Result<std::vector<TPM2_HANDLE>> listHandles(Context& context, const ListHandlesRequest& request);

Result<Bytes> readClock(Context& context, const Nothing& request);

struct PcrReadRequest {
  Bytes selection;
};
struct PcrValues {
  uint32_t updateCounter = 0;
  Bytes selection;
  std::vector<Bytes> digests;
};
Result<PcrValues> readPcrs(Context& context, const PcrReadRequest& request);

struct PcrExtendRequest {
  uint32_t index;
  Bytes digests;
};
Result<Nothing> extendPcr(Context& context, const PcrExtendRequest& request);

struct HashRequest {
  TPM2_ALG_ID algorithm;
  Bytes data;
  TPM2_HANDLE hierarchy;
};
struct HashReply {
  Bytes digest;
  Bytes ticket;
};
Result<HashReply> hashData(Context& context, const HashRequest& request);

struct NvReadRequest {
  TPM2_HANDLE index;
};
Result<Bytes> readNv(Context& context, const NvReadRequest& request);

}  // namespace tss
