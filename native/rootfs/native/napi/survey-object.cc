#include "survey-object.h"

#include "addon-data.h"
#include "convert.h"

namespace rootfs {

Napi::Function SurveyObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeSurvey",
                     {
                         InstanceMethod<&SurveyObject::Next>("next"),
                         InstanceMethod<&SurveyObject::Links>("links"),
                         InstanceMethod<&SurveyObject::Close>("close"),
                     });
}

Napi::Value SurveyObject::Wrap(Napi::Env env, std::shared_ptr<Survey> survey) {
  Napi::Object object = env.GetInstanceData<AddonData>()->survey.New({});
  Unwrap(object)->survey_ = std::move(survey);
  return object;
}

Napi::Value SurveyObject::Next(const Napi::CallbackInfo& info) {
  if (survey_ == nullptr) throw ToError(info.Env(), Status::Fail(Code::kClosed, 0, "survey"));
  std::string batch = OrThrow(info.Env(), survey_->Next());
  if (batch.empty()) return info.Env().Undefined();
  return ToBuffer(info.Env(), batch);
}

Napi::Value SurveyObject::Links(const Napi::CallbackInfo& info) {
  if (survey_ == nullptr) throw ToError(info.Env(), Status::Fail(Code::kClosed, 0, "survey"));
  Result<std::string> links = survey_->Links();
  if (!links.ok()) return info.Env().Undefined();
  return ToBuffer(info.Env(), links.value);
}

void SurveyObject::Stop() {
  if (survey_ != nullptr) survey_->Stop();
  survey_.reset();
}

}  // namespace rootfs
