// The module: createContext(), describe() and releaseAll().
#define NAPI_VERSION 8
#include <dlfcn.h>
#include <node_api.h>
#include <stdlib.h>
#include <tss2/tss2_esys.h>

#include <set>

#include "values.h"
#include "worker.h"

// What libtss2-esys would be bound to as well: the same search order holds for both.
extern "C" const char* OpenSSL_version(int) __attribute__((weak));

namespace addon {

namespace {

constexpr napi_type_tag kContextTag = {0x5b1f6d0c2a7e4c53, 0x9d0f4e8a61b73c25};

// What a JavaScript context object holds. The environment's clean-up hook gets there before its finalizer.
struct Holder {
  std::shared_ptr<Worker> worker;
  napi_env env = nullptr;
  bool ended = false;
};

napi_value fail(napi_env env, const char* message) {
  napi_throw_type_error(env, nullptr, message);
  return nullptr;
}

// The contexts of one environment, for releaseAll().
using Registry = std::set<Holder*>;

Registry* registryOf(napi_env env) {
  void* data = nullptr;
  return napi_get_instance_data(env, &data) == napi_ok ? static_cast<Registry*>(data) : nullptr;
}

void forget(napi_env env, Holder* holder) {
  if (Registry* registry = registryOf(env); registry != nullptr) registry->erase(holder);
}

void onEnvironmentEnd(void* data) {
  auto* holder = static_cast<Holder*>(data);
  holder->ended = true;
  holder->worker->release(holder->env, farewell());
}

void onCollected(napi_env env, void* data, void*) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(data));
  if (holder->ended) return;
  napi_remove_env_cleanup_hook(env, onEnvironmentEnd, holder.get());
  forget(env, holder.get());
  holder->worker->release(env, farewell());
}

Worker* unwrap(napi_env env, napi_value self) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kContextTag, &tagged) != napi_ok || !tagged) return nullptr;
  if (napi_unwrap(env, self, &data) != napi_ok) return nullptr;
  return static_cast<Holder*>(data)->worker.get();
}

napi_value submit(napi_env env, napi_callback_info info) {
  napi_value arguments[3] = {nullptr, nullptr, nullptr};
  std::size_t count = 3;
  napi_value self = nullptr;
  if (napi_get_cb_info(env, info, &count, arguments, &self, nullptr) != napi_ok) return nullptr;
  Worker* worker = unwrap(env, self);
  if (worker == nullptr) return fail(env, "not a TPM context");
  napi_valuetype kind = napi_undefined;
  std::string command;
  if (count != 3 || !readText(env, arguments[0], command)) return fail(env, "submit takes a command's name");
  if (napi_typeof(env, arguments[1], &kind) != napi_ok || kind != napi_object) return fail(env, "arguments missing");
  if (napi_typeof(env, arguments[2], &kind) != napi_ok || kind != napi_function) return fail(env, "callback missing");
  Args args(env, arguments[1]);
  Job job = prepareJob(command, args);
  if (job == nullptr) return fail(env, "unknown command");
  if (!args.ok()) return fail(env, (command + ": wrong field " + args.bad()).c_str());
  return toJs(env, worker->submit(env, std::move(job), arguments[2]));
}

template <typename Act>
napi_value onContext(napi_env env, napi_callback_info info, Act&& act) {
  napi_value self = nullptr;
  if (napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr) != napi_ok) return nullptr;
  Worker* worker = unwrap(env, self);
  if (worker == nullptr) return fail(env, "not a TPM context");
  return act(*worker);
}

napi_value isBusy(napi_env env, napi_callback_info info) {
  return onContext(env, info, [env](Worker& worker) { return toJs(env, worker.isBusy()); });
}

napi_value abandon(napi_env env, napi_callback_info info) {
  return onContext(env, info, [env](Worker& worker) {
    worker.abandon(env);
    return toJs(env, tss::Nothing{});
  });
}

napi_value release(napi_env env, napi_callback_info info) {
  return onContext(env, info, [env](Worker& worker) {
    worker.release(env, farewell());
    return toJs(env, tss::Nothing{});
  });
}

napi_property_descriptor method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default, nullptr};
}

napi_value createContext(napi_env env, napi_callback_info) {
  napi_value object = nullptr;
  const napi_property_descriptor methods[] = {method("submit", submit), method("isBusy", isBusy),
                                              method("abandon", abandon), method("release", release)};
  if (napi_create_object(env, &object) != napi_ok ||
      napi_define_properties(env, object, std::size(methods), methods) != napi_ok ||
      napi_type_tag_object(env, object, &kContextTag) != napi_ok) {
    return fail(env, "no context object could be made");
  }
  auto holder = std::make_unique<Holder>();
  holder->env = env;
  holder->worker = std::make_shared<Worker>();
  if (!holder->worker->start(env)) return fail(env, "no thread could be started for the TPM context");
  if (napi_wrap(env, object, holder.get(), onCollected, nullptr, nullptr) != napi_ok) {
    holder->worker->release(env, farewell());
    return fail(env, "no context object could be made");
  }
  Holder* owned = holder.release();
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, owned);
  if (Registry* registry = registryOf(env); registry != nullptr) registry->insert(owned);
  return object;
}

// process.exit() runs no clean-up hooks: the 'exit' event comes here, so that nothing stays loaded in the TPM and no
// thread runs while the process takes its libraries down. All contexts together have one farewell.
napi_value releaseAll(napi_env env, napi_callback_info) {
  Registry* registry = registryOf(env);
  if (registry == nullptr) return toJs(env, tss::Nothing{});
  for (Holder* holder : *registry) holder->worker->requestStop();
  const timespec until = farewell();
  for (Holder* holder : *registry) holder->worker->release(env, until);
  return toJs(env, tss::Nothing{});
}

std::string fileOf(const void* symbol) {
  Dl_info found{};
  if (symbol == nullptr || dladdr(symbol, &found) == 0 || found.dli_fname == nullptr) return "";
  return found.dli_fname;
}

napi_value describe(napi_env env, napi_callback_info) {
  const void* crypto = reinterpret_cast<const void*>(&OpenSSL_version);
  const std::string version = crypto == nullptr ? "" : OpenSSL_version(0);
  return makeObject(env, {{"esysPath", toJs(env, fileOf(reinterpret_cast<const void*>(&Esys_Initialize)))},
                          {"cryptoPath", toJs(env, fileOf(crypto))},
                          {"cryptoVersion", toJs(env, version)}});
}

napi_value initialise(napi_env env, napi_value exports) {
  // Errors are returned, not printed; who wants the library's log sets the variable.
  setenv("TSS2_LOG", "all+NONE", 0);
  const napi_property_descriptor functions[] = {method("createContext", createContext), method("describe", describe),
                                                method("releaseAll", releaseAll)};
  auto registry = std::make_unique<Registry>();
  const auto deleteRegistry = [](napi_env, void* data, void*) { delete static_cast<Registry*>(data); };
  if (napi_set_instance_data(env, registry.get(), deleteRegistry, nullptr) != napi_ok) {
    return fail(env, "the module could not be set up");
  }
  registry.release();
  if (napi_define_properties(env, exports, std::size(functions), functions) != napi_ok) {
    return fail(env, "the module could not be set up");
  }
  return exports;
}

}  // namespace

}  // namespace addon

NAPI_MODULE_INIT() { return addon::initialise(env, exports); }
