#ifndef ROOTFS_NAPI_ROOT_OBJECT_H_
#define ROOTFS_NAPI_ROOT_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../root.h"

namespace rootfs {

// NativeRoot of src/native.ts.
class RootObject : public Napi::ObjectWrap<RootObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  // new RootObject(path, followParents)
  explicit RootObject(const Napi::CallbackInfo& info);

 private:
  std::shared_ptr<const Root> Opened(Napi::Env env) const;
  Entry Find(const Napi::CallbackInfo& info) const;
  Entry Find(const Napi::CallbackInfo& info, EntryType type) const;

  void Close(const Napi::CallbackInfo& info);
  Napi::Value Lstat(const Napi::CallbackInfo& info);
  Napi::Value LookInside(const Napi::CallbackInfo& info);
  Napi::Value Look(const Napi::CallbackInfo& info);
  Napi::Value List(const Napi::CallbackInfo& info);
  Napi::Value ReadLink(const Napi::CallbackInfo& info);
  Napi::Value ReadFile(const Napi::CallbackInfo& info);
  Napi::Value ReadRanges(const Napi::CallbackInfo& info);
  Napi::Value HashFile(const Napi::CallbackInfo& info);
  Napi::Value HashFilesAsync(const Napi::CallbackInfo& info);
  Napi::Value GetXattr(const Napi::CallbackInfo& info);
  Napi::Value ListXattrs(const Napi::CallbackInfo& info);
  Napi::Value MeasureVerity(const Napi::CallbackInfo& info);
  Napi::Value StartWalk(const Napi::CallbackInfo& info);
  Napi::Value StartSurvey(const Napi::CallbackInfo& info);
  Napi::Value StartSift(const Napi::CallbackInfo& info);
  Napi::Value StartReads(const Napi::CallbackInfo& info);
  Napi::Value TypesOf(const Napi::CallbackInfo& info);

  std::shared_ptr<const Root> root_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_ROOT_OBJECT_H_
