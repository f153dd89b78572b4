// Objects: making, loading, naming, persisting.
#pragma once

#include "bytes.h"
#include "context.h"

namespace tss {

struct CreatePrimaryRequest {
  TPM2_HANDLE hierarchy;
  Bytes objectTemplate;
  Bytes authValue;
  Bytes hierarchyAuth;
  ESYS_TR saltKey;
};
struct PrimaryObject {
  ESYS_TR handle = ESYS_TR_NONE;
  Bytes publicArea;
  Bytes name;
};
Result<PrimaryObject> createPrimary(Context& context, const CreatePrimaryRequest& request);

struct CreateRequest {
  ESYS_TR parent;
  Bytes objectTemplate;
  Bytes authValue;
  Bytes parentAuth;
  ESYS_TR policy;
};
struct CreatedObject {
  Bytes privateArea;
  Bytes publicArea;
};
Result<CreatedObject> createObject(Context& context, const CreateRequest& request);

struct LoadRequest {
  ESYS_TR parent;
  Bytes privateArea;
  Bytes publicArea;
  Bytes parentAuth;
  ESYS_TR policy;
};
struct LoadedObject {
  ESYS_TR handle = ESYS_TR_NONE;
  Bytes name;
};
Result<LoadedObject> loadObject(Context& context, const LoadRequest& request);

struct ReadPublicRequest {
  ESYS_TR object;
};
struct ObjectPublic {
  Bytes publicArea;
  Bytes name;
  Bytes qualifiedName;
};
Result<ObjectPublic> readPublic(Context& context, const ReadPublicRequest& request);

struct FromPersistentRequest {
  TPM2_HANDLE handle;
};
Result<LoadedObject> fromPersistent(Context& context, const FromPersistentRequest& request);

struct EvictControlRequest {
  TPM2_HANDLE hierarchy;
  Bytes hierarchyAuth;
  ESYS_TR object;
  TPM2_HANDLE handle;
};
// handle is ESYS_TR_NONE where a persistent object was removed.
Result<LoadedObject> evictControl(Context& context, const EvictControlRequest& request);

struct FlushRequest {
  ESYS_TR handle;
};
Result<Nothing> flushHandle(Context& context, const FlushRequest& request);

}  // namespace tss
