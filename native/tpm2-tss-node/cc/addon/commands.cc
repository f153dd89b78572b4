#include "commands.h"

#include "../tss/self-test.h"
#include "../tss/session.h"
#include "values.h"

namespace addon {

namespace {

template <typename Request, typename Reply>
Job makeJob(tss::Result<Reply> (*call)(tss::Context&, const Request&), Request request) {
  return [call, request = std::move(request)](tss::Context& context) -> Outcome {
    tss::Result<Reply> result = call(context, request);
    return {result.status, false, [reply = std::move(result.value)](napi_env env) { return toJs(env, reply); }};
  };
}

struct OpenRequest {
  std::string tcti;
  bool exclusive;
};

tss::Result<tss::Nothing> open(tss::Context& context, const OpenRequest& request) {
  tss::Status status = context.open(request.tcti, request.exclusive);
  if (status.ok()) status = tss::runSelfTest(context);
  if (!status.ok()) return status;
  return tss::Nothing{};
}

tss::Result<tss::Nothing> close(tss::Context& context, const tss::Nothing&) {
  context.close();
  return tss::Nothing{};
}

// Arguments are read in the order of the struct; braces guarantee it.
Job prepareOpen(Args& a) { return makeJob(open, OpenRequest{a.text("tcti"), a.flag("exclusive")}); }

Job prepareClose(Args&) { return makeJob(close, tss::Nothing{}); }

Job prepareGetRandom(Args& a) {
  return makeJob(tss::getRandom, tss::GetRandomRequest{a.number("bytes"), a.number("saltKey"), a.number("session")});
}

Job prepareGetCapability(Args& a) {
  return makeJob(tss::getCapability,
                 tss::GetCapabilityRequest{a.number("capability"), a.number("property"), a.number("count")});
}

Job prepareHandles(Args& a) { return makeJob(tss::listHandles, tss::ListHandlesRequest{a.number("first")}); }

Job prepareReadClock(Args&) { return makeJob(tss::readClock, tss::Nothing{}); }

Job preparePcrRead(Args& a) { return makeJob(tss::readPcrs, tss::PcrReadRequest{a.bytes("selection")}); }

Job preparePcrExtend(Args& a) {
  return makeJob(tss::extendPcr, tss::PcrExtendRequest{a.number("index"), a.bytes("digests")});
}

Job prepareCreatePrimary(Args& a) {
  return makeJob(tss::createPrimary,
                 tss::CreatePrimaryRequest{a.number("hierarchy"), a.bytes("template"), a.bytes("authValue"),
                                           a.bytes("hierarchyAuth"), a.number("saltKey")});
}

Job prepareCreate(Args& a) {
  return makeJob(tss::createObject, tss::CreateRequest{a.number("parent"), a.bytes("template"), a.bytes("authValue"),
                                                       a.bytes("parentAuth"), a.number("policy")});
}

Job prepareLoad(Args& a) {
  return makeJob(tss::loadObject, tss::LoadRequest{a.number("parent"), a.bytes("private"), a.bytes("public"),
                                                   a.bytes("parentAuth"), a.number("policy")});
}

Job prepareReadPublic(Args& a) { return makeJob(tss::readPublic, tss::ReadPublicRequest{a.number("object")}); }

Job prepareFromPersistent(Args& a) {
  return makeJob(tss::fromPersistent, tss::FromPersistentRequest{a.number("handle")});
}

Job prepareEvictControl(Args& a) {
  return makeJob(tss::evictControl, tss::EvictControlRequest{a.number("hierarchy"), a.bytes("hierarchyAuth"),
                                                             a.number("object"), a.number("handle")});
}

Job prepareQuote(Args& a) {
  return makeJob(tss::quote, tss::QuoteRequest{a.number("key"), a.bytes("authValue"), a.bytes("qualifyingData"),
                                               a.bytes("selection"), a.flag("password")});
}

Job prepareQuoteEach(Args& a) {
  return makeJob(tss::quoteEach, tss::QuoteEachRequest{a.number("key"), a.bytes("authValue"), a.bytes("qualifyingData"),
                                                       a.bytesList("selections"), a.flag("password")});
}

Job prepareCertify(Args& a) {
  return makeJob(tss::certify,
                 tss::CertifyRequest{a.number("object"), a.bytes("objectAuth"), a.number("signer"),
                                     a.bytes("signerAuth"), a.bytes("qualifyingData"), a.flag("password")});
}

Job prepareSign(Args& a) {
  return makeJob(tss::sign, tss::SignRequest{a.number("key"), a.bytes("authValue"), a.bytes("digest"),
                                             a.bytes("ticket"), a.flag("password")});
}

Job prepareActivateCredential(Args& a) {
  return makeJob(tss::activateCredential,
                 tss::ActivateCredentialRequest{a.number("key"), a.bytes("keyAuth"), a.number("ek"), a.bytes("ekAuth"),
                                                a.number("policy"), a.bytes("idObject"), a.bytes("encryptedSecret")});
}

Job prepareNvRead(Args& a) { return makeJob(tss::readNv, tss::NvReadRequest{a.number("index")}); }

Job prepareHash(Args& a) {
  const auto algorithm = static_cast<TPM2_ALG_ID>(a.number("algorithm"));
  return makeJob(tss::hashData, tss::HashRequest{algorithm, a.bytes("data"), a.number("hierarchy")});
}

tss::Result<uint32_t> startAuthSession(tss::Context& context, const tss::SessionSpec& spec) {
  return tss::startSession(context, spec);
}

Job prepareStartAuthSession(Args& a) {
  const auto kind = static_cast<TPM2_SE>(a.number("kind"));
  const auto hash = static_cast<TPM2_ALG_ID>(a.number("hash"));
  return makeJob(startAuthSession, tss::SessionSpec{kind, hash, a.number("saltKey"), a.flag("encryption")});
}

Job preparePolicySecret(Args& a) {
  return makeJob(tss::runPolicySecret,
                 tss::PolicySecretRequest{a.number("session"), a.number("hierarchy"), a.bytes("hierarchyAuth")});
}

Job preparePolicyDigest(Args& a) {
  return makeJob(tss::getPolicyDigest, tss::PolicyDigestRequest{a.number("session")});
}

Job prepareFlush(Args& a) { return makeJob(tss::flushHandle, tss::FlushRequest{a.number("handle")}); }

struct Entry {
  const char* name;
  Job (*prepare)(Args&);
};

constexpr Entry kCommands[] = {
    {"open", prepareOpen},
    {"close", prepareClose},
    {"getRandom", prepareGetRandom},
    {"getCapability", prepareGetCapability},
    {"handles", prepareHandles},
    {"readClock", prepareReadClock},
    {"pcrRead", preparePcrRead},
    {"pcrExtend", preparePcrExtend},
    {"createPrimary", prepareCreatePrimary},
    {"create", prepareCreate},
    {"load", prepareLoad},
    {"readPublic", prepareReadPublic},
    {"fromPersistent", prepareFromPersistent},
    {"evictControl", prepareEvictControl},
    {"quote", prepareQuote},
    {"quoteEach", prepareQuoteEach},
    {"certify", prepareCertify},
    {"sign", prepareSign},
    {"activateCredential", prepareActivateCredential},
    {"nvRead", prepareNvRead},
    {"hash", prepareHash},
    {"startAuthSession", prepareStartAuthSession},
    {"policySecret", preparePolicySecret},
    {"policyDigest", preparePolicyDigest},
    {"flush", prepareFlush},
};

}  // namespace

Job prepareJob(const std::string& command, Args& args) {
  for (const Entry& entry : kCommands) {
    if (command == entry.name) return entry.prepare(args);
  }
  return nullptr;
}

}  // namespace addon
