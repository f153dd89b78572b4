// Whether the cryptography of libtss2-esys works in this process.
#pragma once

#include "context.h"

namespace tss {

// Sends known data through an encrypted, HMAC-protected session to TPM2_Hash and compares the digest. libtss2-esys
// computes with OpenSSL, and a host program that exports another OpenSSL can replace the functions under it: then HMAC,
// key derivation or AES would fail here rather than in the middle of an enrolment. Runs once a process.
Status runSelfTest(Context& context);

}  // namespace tss
