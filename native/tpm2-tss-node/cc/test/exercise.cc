// Drives the plain layer against a TPM, for the sanitizers: every command, refusals included, and malformed bytes.
// Usage: exercise TCTI. Ends with 0 where everything went as it should.
#include <cstdio>
#include <cstdlib>

#include "../tss/attest.h"
#include "../tss/information.h"
#include "../tss/keys.h"
#include "../tss/self-test.h"
#include "../tss/session.h"

namespace {

using tss::Bytes;

int failures = 0;

void expect(bool good, const char* what, TSS2_RC rc = 0) {
  if (good) return;
  failures++;
  std::fprintf(stderr, "failed: %s (0x%x)\n", what, rc);
}

Bytes fromHex(const char* text) {
  Bytes bytes;
  for (; text[0] != 0 && text[1] != 0; text += 2) {
    const char pair[] = {text[0], text[1], 0};
    bytes.push_back(static_cast<uint8_t>(std::strtoul(pair, nullptr, 16)));
  }
  return bytes;
}

// TPMT_PUBLIC: P-256 signing key, restricted, ECDSA with SHA-256, noDA.
const char kAttestationKey[] = "0023000b00050472000000100018000b0003001000000000";
// TPMT_PUBLIC: P-256 storage key, AES-128-CFB.
const char kStorageKey[] =
    "0023000b0003047200000006008000430010000300100000"
    "0000";
const char kSelection[] = "00000001000b03ff0400";

struct Keys {
  tss::PrimaryObject parent;
  tss::LoadedObject child;
};

Keys makeKeys(tss::Context& context, const Bytes& auth) {
  Keys keys;
  const auto parent = tss::createPrimary(context, {TPM2_RH_OWNER, fromHex(kStorageKey), {}, {}, ESYS_TR_NONE});
  expect(parent.ok(), "createPrimary", parent.status.rc);
  keys.parent = parent.value;
  const auto made = tss::createObject(context, {keys.parent.handle, fromHex(kAttestationKey), auth, {}, ESYS_TR_NONE});
  expect(made.ok(), "create", made.status.rc);
  const auto child =
      tss::loadObject(context, {keys.parent.handle, made.value.privateArea, made.value.publicArea, {}, ESYS_TR_NONE});
  expect(child.ok(), "load", child.status.rc);
  keys.child = child.value;
  return keys;
}

void exerciseKeys(tss::Context& context) {
  const Bytes auth(32, 7);
  const Bytes nonce(32, 9);
  const Keys keys = makeKeys(context, auth);
  const auto quoted = tss::quote(context, {keys.child.handle, auth, nonce, fromHex(kSelection), false});
  expect(quoted.ok() && quoted.value.attest.size() > 100, "quote", quoted.status.rc);
  expect(!tss::quote(context, {keys.child.handle, nonce, nonce, fromHex(kSelection), true}).ok(),
         "wrong value refused");
  expect(!tss::quote(context, {keys.child.handle, auth, Bytes(200, 1), fromHex(kSelection), true}).ok(),
         "long nonce refused");
  expect(!tss::quote(context, {0x40ffff, auth, nonce, fromHex(kSelection), false}).ok(), "unknown handle refused");
  const auto each =
      tss::quoteEach(context, {keys.child.handle, auth, nonce, {fromHex(kSelection), fromHex(kSelection)}, true});
  expect(each.ok() && each.value.size() == 2 && each.value[1].attest.size() > 100, "quoteEach", each.status.rc);
  expect(!tss::quoteEach(context, {keys.child.handle, auth, nonce, {fromHex(kSelection), Bytes(3, 1)}, true}).ok(),
         "quoteEach with a bad selection refused");
  const auto certified = tss::certify(context, {keys.parent.handle, {}, keys.child.handle, auth, nonce, false});
  expect(certified.ok(), "certify", certified.status.rc);
  const auto hashed = tss::hashData(context, {TPM2_ALG_SHA256, nonce, TPM2_RH_OWNER});
  expect(hashed.ok() && hashed.value.digest.size() == 32, "hash", hashed.status.rc);
  const auto signed_ = tss::sign(context, {keys.child.handle, auth, hashed.value.digest, hashed.value.ticket, true});
  expect(signed_.ok(), "sign", signed_.status.rc);
  expect(!tss::activateCredential(
              context,
              {keys.child.handle, auth, keys.parent.handle, {}, ESYS_TR_NONE, fromHex("000400020000"), fromHex("0000")})
              .ok(),
         "forged credential refused");
  expect(tss::readPublic(context, {keys.child.handle}).ok(), "readPublic");
  const auto persistent = tss::evictControl(context, {TPM2_RH_OWNER, {}, keys.parent.handle, 0x81008002});
  expect(persistent.ok(), "persist", persistent.status.rc);
  expect(tss::evictControl(context, {TPM2_RH_OWNER, {}, persistent.value.handle, 0x81008002}).ok(), "evict");
  expect(!tss::fromPersistent(context, {0x81008002}).ok(), "evicted object is gone");
  expect(tss::flushHandle(context, {keys.child.handle}).ok(), "flush");
  expect(!tss::flushHandle(context, {keys.child.handle}).ok(), "second flush refused");
  // The parent stays loaded: closing the context must flush it.
}

void exerciseInformation(tss::Context& context) {
  for (const uint32_t bytes : {1U, 64U, 65U, 1024U}) {
    const auto random = tss::getRandom(context, {bytes, ESYS_TR_NONE, ESYS_TR_NONE});
    expect(random.ok() && random.value.size() == bytes, "getRandom", random.status.rc);
  }
  expect(tss::getCapability(context, {TPM2_CAP_TPM_PROPERTIES, 0x100, 64}).ok(), "getCapability");
  expect(tss::listHandles(context, {TPM2_NV_INDEX_FIRST}).ok(), "listHandles");
  expect(tss::readClock(context, {}).ok(), "readClock");
  expect(tss::readPcrs(context, {fromHex(kSelection)}).value.digests.size() == 8, "readPcrs");
  expect(!tss::readNv(context, {0x01c0ffff}).ok(), "missing NV index refused");
  expect(!tss::extendPcr(context, {16, fromHex("ffffffff")}).ok(), "malformed digests refused");
  const auto policy = tss::startSession(context, {TPM2_SE_POLICY, TPM2_ALG_SHA256, ESYS_TR_NONE, true});
  expect(policy.ok(), "startSession", policy.status.rc);
  expect(tss::runPolicySecret(context, {policy.value, TPM2_RH_ENDORSEMENT, {}}).ok(), "policySecret");
  expect(tss::getPolicyDigest(context, {policy.value}).value.size() == 32, "policyDigest");
}

// Each truncation and each flipped bit of what callers pass: a refusal or a success, never more.
void exerciseMalformed(tss::Context& context) {
  const Bytes whole = fromHex(kAttestationKey);
  for (std::size_t size = 0; size < whole.size(); size++) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    expect(!tss::createPrimary(context, {TPM2_RH_NULL, cut, {}, {}, ESYS_TR_NONE}).ok(), "truncated template");
    expect(!tss::loadObject(context, {ESYS_TR_RH_OWNER, cut, cut, {}, ESYS_TR_NONE}).ok(), "truncated key");
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; bit++) {
    Bytes flipped = whole;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto made = tss::createPrimary(context, {TPM2_RH_NULL, flipped, {}, {}, ESYS_TR_NONE});
    if (made.ok()) expect(tss::flushHandle(context, {made.value.handle}).ok(), "flush");
    const Bytes selection = fromHex(kSelection);
    Bytes wrong = selection;
    wrong[(bit / 8) % wrong.size()] = static_cast<uint8_t>(wrong[(bit / 8) % wrong.size()] ^ (1U << (bit % 8)));
    tss::readPcrs(context, {wrong});
  }
  expect(!context.isBroken(), "malformed bytes break nothing");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::atomic<bool> abandoned{false};
  {
    tss::Context context(abandoned);
    const tss::Status opened = context.open(arguments[1], true);
    expect(opened.ok(), "open", opened.rc);
    if (!opened.ok()) return 1;
    expect(tss::runSelfTest(context).ok(), "self-test");
    exerciseInformation(context);
    exerciseKeys(context);
    exerciseMalformed(context);
    context.close();
    context.close();
    expect(!tss::readClock(context, {}).ok(), "closed context refuses");
  }
  tss::Context next(abandoned);
  expect(next.open(arguments[1], false).ok(), "reopen");
  expect(tss::listHandles(next, {TPM2_TRANSIENT_FIRST}).value.empty(), "nothing stays loaded");
  expect(tss::listHandles(next, {TPM2_LOADED_SESSION_FIRST}).value.empty(), "no session stays");
  abandoned.store(true);
  expect(!tss::readClock(next, {}).ok() && next.isBroken(), "abandoned context sends nothing");
  tss::Context nowhere(abandoned);
  expect(!nowhere.open("swtpm:path=/nonexistent", false).ok(), "no TPM, no context");
  return failures == 0 ? 0 : 1;
}
