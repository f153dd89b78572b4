#ifndef ROOTFS_NAPI_SURVEY_OBJECT_H_
#define ROOTFS_NAPI_SURVEY_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../survey.h"

namespace rootfs {

// NativeSurvey of src/native.ts.
class SurveyObject : public Napi::ObjectWrap<SurveyObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Wrap(Napi::Env env, std::shared_ptr<Survey> survey);

  explicit SurveyObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SurveyObject>(info) {}
  ~SurveyObject() override { Stop(); }

 private:
  Napi::Value Next(const Napi::CallbackInfo& info);
  Napi::Value Links(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo&) { Stop(); }
  void Stop();

  std::shared_ptr<Survey> survey_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_SURVEY_OBJECT_H_
