#include <algorithm>

#include "information.h"

namespace tss {

namespace {

// What every TPM allows; used where it does not say (TPM_PT_NV_BUFFER_MAX).
constexpr uint16_t kDefaultChunk = 512;

// An NV index by its ESYS_TR, closed at the end of its scope.
class NvIndex {
 public:
  NvIndex(Context& context, TPM2_HANDLE index) : context_(context) {
    status_ = context_.run("TPM2_NV_ReadPublic", [&](ESYS_CONTEXT* esys) {
      return Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle_);
    });
  }
  NvIndex(const NvIndex&) = delete;
  NvIndex& operator=(const NvIndex&) = delete;
  ~NvIndex() {
    if (status_.ok()) context_.run("Esys_TR_Close", [&](ESYS_CONTEXT* esys) { return Esys_TR_Close(esys, &handle_); });
  }
  const Status& status() const { return status_; }
  ESYS_TR handle() const { return handle_; }

 private:
  Context& context_;
  ESYS_TR handle_ = ESYS_TR_NONE;
  Status status_;
};

uint16_t chunkSize(Context& context) {
  TPMI_YES_NO more = TPM2_NO;
  TPMS_CAPABILITY_DATA* raw = nullptr;
  const Status status = context.run("TPM2_GetCapability", [&](ESYS_CONTEXT* esys) {
    return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
                              TPM2_PT_NV_BUFFER_MAX, 1, &more, &raw);
  });
  const EsysPtr<TPMS_CAPABILITY_DATA> data(raw);
  if (!status.ok() || data->capability != TPM2_CAP_TPM_PROPERTIES) return kDefaultChunk;
  const TPML_TAGGED_TPM_PROPERTY& properties = data->data.tpmProperties;
  if (properties.count == 0 || properties.tpmProperty[0].property != TPM2_PT_NV_BUFFER_MAX) return kDefaultChunk;
  const uint32_t allowed = properties.tpmProperty[0].value;
  return static_cast<uint16_t>(std::clamp<uint32_t>(allowed, 1, TPM2_MAX_NV_BUFFER_SIZE));
}

Result<Bytes> readChunk(Context& context, ESYS_TR authority, ESYS_TR index, uint16_t size, uint16_t offset) {
  TPM2B_MAX_NV_BUFFER* raw = nullptr;
  const Status status = context.run("TPM2_NV_Read", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_Read(esys, authority, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, size, offset, &raw);
  });
  const EsysPtr<TPM2B_MAX_NV_BUFFER> chunk(raw);
  if (!status.ok()) return status;
  const Status exact = context.expectParameters(2 + chunk->size, "TPM2_NV_Read");
  if (!exact.ok()) return exact;
  if (chunk->size == 0 || chunk->size > size) return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_NV_Read"};
  return copyOf(chunk->buffer, chunk->size);
}

}  // namespace

Result<Bytes> readNv(Context& context, const NvReadRequest& request) {
  const NvIndex index(context, request.index);
  if (!index.status().ok()) return index.status();
  TPM2B_NV_PUBLIC* raw = nullptr;
  const Status status = context.run("TPM2_NV_ReadPublic", [&](ESYS_CONTEXT* esys) {
    return Esys_NV_ReadPublic(esys, index.handle(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &raw, nullptr);
  });
  const EsysPtr<TPM2B_NV_PUBLIC> area(raw);
  if (!status.ok()) return status;
  const TPMA_NV attributes = area->nvPublic.attributes;
  // Where the index cannot be read by its own (empty) authorization, the owner may.
  const ESYS_TR authority = (attributes & TPMA_NV_AUTHREAD) != 0 ? index.handle() : ESYS_TR_RH_OWNER;
  const uint16_t chunk = chunkSize(context);
  const uint16_t total = area->nvPublic.dataSize;
  Bytes content;
  content.reserve(total);
  while (content.size() < total) {
    const auto offset = static_cast<uint16_t>(content.size());
    const auto size = std::min<uint16_t>(chunk, static_cast<uint16_t>(total - offset));
    const Result<Bytes> part = readChunk(context, authority, index.handle(), size, offset);
    if (!part.ok()) return part.status;
    content.insert(content.end(), part.value.begin(), part.value.end());
  }
  return content;
}

}  // namespace tss
