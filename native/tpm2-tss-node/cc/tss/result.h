// What every function of this layer returns: no exceptions, no out parameters.
#pragma once

#include <tss2/tss2_esys.h>

#include <memory>
#include <utility>

namespace tss {

struct Status {
  TSS2_RC rc = TSS2_RC_SUCCESS;
  // The TPM command or step that failed; a string literal.
  const char* command = "";
  // The cryptographic self-test failed.
  bool selfTest = false;

  bool ok() const { return rc == TSS2_RC_SUCCESS && !selfTest; }
};

struct Nothing {};

template <typename T>
struct Result {
  Status status;
  T value{};

  Result(Status failed) : status(failed) {}
  Result(T good) : value(std::move(good)) {}
  bool ok() const { return status.ok(); }
};

// Memory that libtss2-esys allocated.
struct EsysFree {
  void operator()(void* memory) const { Esys_Free(memory); }
};
template <typename T>
using EsysPtr = std::unique_ptr<T, EsysFree>;

}  // namespace tss
