#include "keys.h"

#include "marshal.h"
#include "session.h"

namespace tss {

namespace {

struct CreationInput {
  Wiped<TPM2B_SENSITIVE_CREATE> sensitive;
  TPM2B_PUBLIC area{};
  TPM2B_DATA outsideInfo{};
  TPML_PCR_SELECTION creationPcr{};

  Status read(const Bytes& objectTemplate, const Bytes& authValue) {
    const TSS2_RC rc = unpack(Tss2_MU_TPMT_PUBLIC_Unmarshal, objectTemplate, area.publicArea);
    if (rc != TSS2_RC_SUCCESS) return {rc, "template"};
    TPM2B_AUTH& auth = sensitive.value.sensitive.userAuth;
    if (!fill(auth, auth.buffer, authValue)) return {TSS2_ESYS_RC_BAD_SIZE, "authorization value"};
    return {};
  }
};

Status packPublic(const TPM2B_PUBLIC& area, Bytes& out, const char* command) {
  return {pack(Tss2_MU_TPMT_PUBLIC_Marshal, area.publicArea, out), command};
}

Result<Bytes> nameOf(Context& context, ESYS_TR handle) {
  TPM2B_NAME* raw = nullptr;
  const Status status =
      context.run("Esys_TR_GetName", [&](ESYS_CONTEXT* esys) { return Esys_TR_GetName(esys, handle, &raw); });
  const EsysPtr<TPM2B_NAME> name(raw);
  if (!status.ok()) return status;
  return copyOf(name->name, name->size);
}

// Takes a fresh handle into the context; lets it go again where its name cannot be had.
Result<LoadedObject> adopt(Context& context, ESYS_TR handle, Kind kind) {
  context.track(handle, kind);
  Result<Bytes> name = nameOf(context, handle);
  if (name.ok()) return LoadedObject{handle, std::move(name.value)};
  context.release(handle);
  return name.status;
}

}  // namespace

Result<PrimaryObject> createPrimary(Context& context, const CreatePrimaryRequest& request) {
  CreationInput input;
  Status status = input.read(request.objectTemplate, request.authValue);
  if (!status.ok()) return status;
  const ESYS_TR hierarchy = hierarchyTr(request.hierarchy);
  const Authorization authorization(context, {hierarchy, request.hierarchyAuth, ESYS_TR_NONE, request.saltKey});
  if (!authorization.ok()) return authorization.status();
  PrimaryObject primary;
  TPM2B_PUBLIC* raw = nullptr;
  status = context.run("TPM2_CreatePrimary", [&](ESYS_CONTEXT* esys) {
    return Esys_CreatePrimary(esys, hierarchy, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE,
                              &input.sensitive.value, &input.area, &input.outsideInfo, &input.creationPcr,
                              &primary.handle, &raw, nullptr, nullptr, nullptr);
  });
  const EsysPtr<TPM2B_PUBLIC> area(raw);
  if (!status.ok()) return status;
  Result<LoadedObject> loaded = adopt(context, primary.handle, Kind::transient);
  if (!loaded.ok()) return loaded.status;
  primary.name = std::move(loaded.value.name);
  status = packPublic(*area, primary.publicArea, "TPM2_CreatePrimary");
  if (status.ok()) return primary;
  context.release(primary.handle);
  return status;
}

Result<CreatedObject> createObject(Context& context, const CreateRequest& request) {
  CreationInput input;
  Status status = input.read(request.objectTemplate, request.authValue);
  if (!status.ok()) return status;
  const Authorization authorization(context, {request.parent, request.parentAuth, request.policy, request.parent});
  if (!authorization.ok()) return authorization.status();
  TPM2B_PRIVATE* rawPrivate = nullptr;
  TPM2B_PUBLIC* rawPublic = nullptr;
  status = context.run("TPM2_Create", [&](ESYS_CONTEXT* esys) {
    return Esys_Create(esys, request.parent, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE,
                       &input.sensitive.value, &input.area, &input.outsideInfo, &input.creationPcr, &rawPrivate,
                       &rawPublic, nullptr, nullptr, nullptr);
  });
  const EsysPtr<TPM2B_PRIVATE> privateArea(rawPrivate);
  const EsysPtr<TPM2B_PUBLIC> publicArea(rawPublic);
  if (!status.ok()) return status;
  CreatedObject created;
  created.privateArea = copyOf(privateArea->buffer, privateArea->size);
  status = packPublic(*publicArea, created.publicArea, "TPM2_Create");
  if (!status.ok()) return status;
  return created;
}

Result<LoadedObject> loadObject(Context& context, const LoadRequest& request) {
  TPM2B_PUBLIC publicArea{};
  TPM2B_PRIVATE privateArea{};
  const TSS2_RC rc = unpack(Tss2_MU_TPMT_PUBLIC_Unmarshal, request.publicArea, publicArea.publicArea);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "public area"};
  if (!fill(privateArea, privateArea.buffer, request.privateArea)) {
    return Status{TSS2_ESYS_RC_BAD_SIZE, "private area"};
  }
  const Authorization authorization(context, {request.parent, request.parentAuth, request.policy, ESYS_TR_NONE});
  if (!authorization.ok()) return authorization.status();
  ESYS_TR handle = ESYS_TR_NONE;
  const Status status = context.run("TPM2_Load", [&](ESYS_CONTEXT* esys) {
    return Esys_Load(esys, request.parent, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE, &privateArea,
                     &publicArea, &handle);
  });
  if (!status.ok()) return status;
  return adopt(context, handle, Kind::transient);
}

Result<ObjectPublic> readPublic(Context& context, const ReadPublicRequest& request) {
  TPM2B_PUBLIC* rawPublic = nullptr;
  TPM2B_NAME* rawName = nullptr;
  TPM2B_NAME* rawQualified = nullptr;
  Status status = context.run("TPM2_ReadPublic", [&](ESYS_CONTEXT* esys) {
    return Esys_ReadPublic(esys, request.object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &rawPublic, &rawName,
                           &rawQualified);
  });
  const EsysPtr<TPM2B_PUBLIC> area(rawPublic);
  const EsysPtr<TPM2B_NAME> name(rawName);
  const EsysPtr<TPM2B_NAME> qualified(rawQualified);
  if (!status.ok()) return status;
  ObjectPublic object;
  status = packPublic(*area, object.publicArea, "TPM2_ReadPublic");
  if (!status.ok()) return status;
  object.name = copyOf(name->name, name->size);
  object.qualifiedName = copyOf(qualified->name, qualified->size);
  const std::size_t names = object.name.size() + object.qualifiedName.size();
  status = context.expectParameters(6 + object.publicArea.size() + names, "TPM2_ReadPublic");
  if (!status.ok()) return status;
  return object;
}

Result<LoadedObject> fromPersistent(Context& context, const FromPersistentRequest& request) {
  ESYS_TR handle = ESYS_TR_NONE;
  const Status status = context.run("TPM2_ReadPublic", [&](ESYS_CONTEXT* esys) {
    return Esys_TR_FromTPMPublic(esys, request.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle);
  });
  if (!status.ok()) return status;
  return adopt(context, handle, Kind::persistent);
}

Result<LoadedObject> evictControl(Context& context, const EvictControlRequest& request) {
  const ESYS_TR hierarchy = hierarchyTr(request.hierarchy);
  const bool removing = context.tracks(request.object, Kind::persistent);
  const Authorization authorization(context, {hierarchy, request.hierarchyAuth});
  if (!authorization.ok()) return authorization.status();
  ESYS_TR made = ESYS_TR_NONE;
  const Status status = context.run("TPM2_EvictControl", [&](ESYS_CONTEXT* esys) {
    return Esys_EvictControl(esys, hierarchy, request.object, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE,
                             request.handle, &made);
  });
  if (!status.ok()) return status;
  if (!removing) return adopt(context, made, Kind::persistent);
  // ESAPI has closed its reference together with the object.
  context.forget(request.object);
  return LoadedObject{};
}

Result<Nothing> flushHandle(Context& context, const FlushRequest& request) {
  const Status status = context.release(request.handle);
  if (!status.ok()) return status;
  return Nothing{};
}

}  // namespace tss
