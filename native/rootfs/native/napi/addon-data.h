#ifndef ROOTFS_NAPI_ADDON_DATA_H_
#define ROOTFS_NAPI_ADDON_DATA_H_

#include <napi.h>

#include "claims-object.h"
#include "reads-object.h"
#include "root-object.h"
#include "sift-object.h"
#include "survey-object.h"
#include "walker-object.h"
#include "watch-object.h"

namespace rootfs {

// The classes of one environment: the main thread and each worker thread have their own.
struct AddonData {
  Napi::FunctionReference root;
  Napi::FunctionReference walker;
  Napi::FunctionReference reads;
  Napi::FunctionReference survey;
  Napi::FunctionReference watch;
  Napi::FunctionReference claims;
  Napi::FunctionReference sift;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_ADDON_DATA_H_
