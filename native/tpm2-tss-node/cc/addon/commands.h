// The commands by name: how their arguments are read, and what runs on the thread of a context.
#pragma once

#include <functional>
#include <string>

#include "../tss/context.h"
#include "args.h"

namespace addon {

struct Outcome {
  tss::Status status;
  bool broken = false;
  // Makes the value on the JavaScript thread; only called where the status is good.
  std::function<napi_value(napi_env)> value;
};

using Job = std::function<Outcome(tss::Context&)>;

// Null for an unknown command. Where an argument is wrong, `args` says which, and the job must not run.
Job prepareJob(const std::string& command, Args& args);

}  // namespace addon
