#include "guarded-tcti.h"

#include <tss2/tss2_tctildr.h>

#include <cstring>

namespace tss {

namespace {

constexpr uint64_t kMagic = 0x7470326e6f646567;
constexpr std::size_t kResponseHeader = 10;
constexpr std::size_t kParameterSize = 4;

uint32_t readUint32(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

}  // namespace

TSS2_RC GuardedTcti::open(const std::string& tcti) {
  TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti.c_str(), &inner_);
  if (rc != TSS2_RC_SUCCESS) {
    inner_ = nullptr;
    failed_ = true;
    return rc;
  }
  shell_.self = this;
  shell_.common.v1.magic = kMagic;
  shell_.common.v1.version = 2;
  shell_.common.v1.transmit = transmit;
  shell_.common.v1.receive = receive;
  shell_.common.v1.cancel = cancel;
  shell_.common.v1.getPollHandles = getPollHandles;
  shell_.common.v1.setLocality = setLocality;
  shell_.common.makeSticky = makeSticky;
  return TSS2_RC_SUCCESS;
}

void GuardedTcti::close() {
  if (inner_ != nullptr) Tss2_TctiLdr_Finalize(&inner_);
  inner_ = nullptr;
}

TSS2_RC GuardedTcti::note(TSS2_RC rc) {
  const bool answered = rc == TSS2_RC_SUCCESS || rc == TSS2_TCTI_RC_TRY_AGAIN;
  if (!answered) failed_ = true;
  return abandoned_.load() ? TSS2_TCTI_RC_IO_ERROR : rc;
}

// libtss2-sys reads parameters from its buffer without regard to the size of the response: what an earlier message left
// there would pass for an answer. So the rest of the buffer is made unreadable, and commands compare sizes.
TSS2_RC GuardedTcti::inspect(uint8_t* response, std::size_t size, std::size_t capacity) {
  if (size < kResponseHeader || size > capacity || readUint32(response + 2) != size) {
    failed_ = true;
    return TSS2_TCTI_RC_MALFORMED_RESPONSE;
  }
  // After an error the same buffer may be sent again: it still holds the command behind the header.
  if (readUint32(response + 6) == TPM2_RC_SUCCESS) std::memset(response + size, 0xff, capacity - size);
  const bool sessions = response[0] == 0x80 && response[1] == 0x02;
  parameterBytes_ = size - kResponseHeader;
  if (sessions && parameterBytes_ >= kParameterSize) parameterBytes_ = readUint32(response + kResponseHeader);
  return TSS2_RC_SUCCESS;
}

TSS2_RC GuardedTcti::transceive(const Bytes& command) {
  TSS2_RC rc = transmit(context(), command.size(), command.data());
  if (rc != TSS2_RC_SUCCESS) return rc;
  uint8_t response[4096];
  std::size_t size = sizeof response;
  rc = receive(context(), &size, response, TSS2_TCTI_TIMEOUT_BLOCK);
  if (rc != TSS2_RC_SUCCESS) return rc;
  return readUint32(response + 6);
}

TSS2_RC GuardedTcti::transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command) {
  GuardedTcti* self = from(context);
  if (self->isDown()) return TSS2_TCTI_RC_IO_ERROR;
  return self->note(Tss2_Tcti_Transmit(self->inner_, size, command));
}

TSS2_RC GuardedTcti::receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout) {
  GuardedTcti* self = from(context);
  if (self->isDown()) return TSS2_TCTI_RC_IO_ERROR;
  const std::size_t capacity = *size;
  const TSS2_RC rc = self->note(Tss2_Tcti_Receive(self->inner_, size, response, timeout));
  if (rc != TSS2_RC_SUCCESS || response == nullptr) return rc;
  return self->inspect(response, *size, capacity);
}

TSS2_RC GuardedTcti::cancel(TSS2_TCTI_CONTEXT* context) { return Tss2_Tcti_Cancel(from(context)->inner_); }

TSS2_RC GuardedTcti::getPollHandles(TSS2_TCTI_CONTEXT* context, TSS2_TCTI_POLL_HANDLE* handles, size_t* count) {
  return Tss2_Tcti_GetPollHandles(from(context)->inner_, handles, count);
}

TSS2_RC GuardedTcti::setLocality(TSS2_TCTI_CONTEXT* context, uint8_t locality) {
  return Tss2_Tcti_SetLocality(from(context)->inner_, locality);
}

TSS2_RC GuardedTcti::makeSticky(TSS2_TCTI_CONTEXT* context, TPM2_HANDLE* handle, uint8_t sticky) {
  return Tss2_Tcti_MakeSticky(from(context)->inner_, handle, sticky);
}

}  // namespace tss
