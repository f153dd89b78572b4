#include "sha256.h"

#include <dlfcn.h>

#include <cstring>

namespace rootfs {

namespace {

// Prototypes of OpenSSL 1.1 and 3 alike; declared here, so that no header and no library of it is needed.
struct OpenSsl {
  void* (*context_new)();
  void (*context_free)(void*);
  const void* (*sha256)();
  int (*init)(void*, const void*, void*);
  int (*update)(void*, const void*, size_t);
  int (*final)(void*, unsigned char*, unsigned*);
  bool complete = true;
};

template <typename F>
void Find(const char* name, F* function, bool* complete) {
  void* symbol = dlsym(RTLD_DEFAULT, name);
  static_assert(sizeof(symbol) == sizeof(*function));
  std::memcpy(function, &symbol, sizeof(symbol));
  if (symbol == nullptr) *complete = false;
}

const OpenSsl& Functions() {
  static const OpenSsl functions = [] {
    OpenSsl found = {};
    found.complete = true;
    Find("EVP_MD_CTX_new", &found.context_new, &found.complete);
    Find("EVP_MD_CTX_free", &found.context_free, &found.complete);
    Find("EVP_sha256", &found.sha256, &found.complete);
    Find("EVP_DigestInit_ex", &found.init, &found.complete);
    Find("EVP_DigestUpdate", &found.update, &found.complete);
    Find("EVP_DigestFinal_ex", &found.final, &found.complete);
    return found;
  }();
  return functions;
}

bool SelfTest() {
  static const uint8_t expected[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                       0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                       0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  if (!Functions().complete) return false;
  Sha256 hash;
  Sha256Digest digest = {};
  return hash.Begin() && hash.Update("abc", 3) && hash.Finish(&digest) &&
         std::memcmp(digest.data(), expected, sizeof(expected)) == 0;
}

}  // namespace

bool Sha256::Works() {
  static const bool works = SelfTest();
  return works;
}

Sha256::Sha256() : context_(Functions().complete ? Functions().context_new() : nullptr) {
  // A first init names the algorithm; later ones with none reuse it, which spares OpenSSL 3 a look-up per file.
  if (context_ != nullptr && Functions().init(context_, Functions().sha256(), nullptr) != 1) {
    Functions().context_free(context_);
    context_ = nullptr;
  }
}

Sha256::~Sha256() {
  if (context_ != nullptr) Functions().context_free(context_);
}

bool Sha256::Begin() { return context_ != nullptr && Functions().init(context_, nullptr, nullptr) == 1; }

bool Sha256::Update(const void* data, size_t bytes) { return Functions().update(context_, data, bytes) == 1; }

bool Sha256::Finish(Sha256Digest* digest) {
  unsigned bytes = 0;
  return Functions().final(context_, digest->data(), &bytes) == 1 && bytes == digest->size();
}

}  // namespace rootfs
