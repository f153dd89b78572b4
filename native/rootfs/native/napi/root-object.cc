#include "root-object.h"

#include <cstring>
#include <unordered_set>

#include "../directory-names.h"
#include "../entry-content.h"
#include "../entry-look.h"
#include "../hash-many.h"
#include "../kernel.h"
#include "../many-paths.h"
#include "../sift.h"
#include "../thread-pool.h"
#include "addon-data.h"
#include "convert.h"
#include "pool-task.h"
#include "reads-object.h"
#include "survey-object.h"

namespace rootfs {

namespace {

std::vector<std::string> ToNames(const Napi::Value& list) {
  auto names = list.As<Napi::Array>();
  std::vector<std::string> result;
  for (uint32_t i = 0; i < names.Length(); i++) result.push_back(names.Get(i).ToString().Utf8Value());
  return result;
}

}  // namespace

Napi::Function RootObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeRoot",
                     {
                         InstanceMethod<&RootObject::Close>("close"),
                         InstanceMethod<&RootObject::Lstat>("lstat"),
                         InstanceMethod<&RootObject::Look>("look"),
                         InstanceMethod<&RootObject::LookInside>("lookInside"),
                         InstanceMethod<&RootObject::List>("list"),
                         InstanceMethod<&RootObject::ReadLink>("readLink"),
                         InstanceMethod<&RootObject::ReadFile>("readFile"),
                         InstanceMethod<&RootObject::ReadRanges>("readRanges"),
                         InstanceMethod<&RootObject::HashFile>("hashFile"),
                         InstanceMethod<&RootObject::HashFilesAsync>("hashFilesAsync"),
                         InstanceMethod<&RootObject::GetXattr>("getXattr"),
                         InstanceMethod<&RootObject::ListXattrs>("listXattrs"),
                         InstanceMethod<&RootObject::MeasureVerity>("measureVerity"),
                         InstanceMethod<&RootObject::StartWalk>("startWalk"),
                         InstanceMethod<&RootObject::StartSurvey>("startSurvey"),
                         InstanceMethod<&RootObject::StartSift>("startSift"),
                         InstanceMethod<&RootObject::StartReads>("startReads"),
                         InstanceMethod<&RootObject::TypesOf>("typesOf"),
                     });
}

RootObject::RootObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RootObject>(info) {
  root_ = std::make_shared<const Root>(OrThrow(info.Env(), Root::Open(ToBytes(info[0]), info[1].ToBoolean())));
}

std::shared_ptr<const Root> RootObject::Opened(Napi::Env env) const {
  if (root_ == nullptr) throw ToError(env, Status::Fail(Code::kClosed, 0, "root"));
  return root_;
}

Entry RootObject::Find(const Napi::CallbackInfo& info) const {
  return OrThrow(info.Env(), Opened(info.Env())->Find(ToBytes(info[0])));
}

Entry RootObject::Find(const Napi::CallbackInfo& info, EntryType type) const {
  return OrThrow(info.Env(), Opened(info.Env())->Find(ToBytes(info[0]), type));
}

void RootObject::Close(const Napi::CallbackInfo&) { root_.reset(); }

Napi::Value RootObject::Lstat(const Napi::CallbackInfo& info) {
  Result<Entry> entry = Opened(info.Env())->Find(ToBytes(info[0]));
  if (!entry.ok() && entry.status.code == Code::kNotFound) return info.Env().Undefined();
  return ToStatBuffer(info.Env(), OrThrow(info.Env(), std::move(entry)).stat);
}

Napi::Value RootObject::Look(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Result<Entry> found = Opened(env)->Find(ToBytes(info[0]));
  if (!found.ok() && found.status.code == Code::kNotFound) return env.Undefined();
  Entry entry = OrThrow(env, std::move(found));
  WalkRecord record = OrThrow(env, LookAt(entry, ToNames(info[1])));
  std::string packed;
  record.Append("", &packed);
  return ToBuffer(env, packed);
}

Napi::Value RootObject::LookInside(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Result<Entry> found = Opened(env)->Find(ToBytes(info[0]));
  if (!found.ok() && found.status.code == Code::kNotFound) return env.Undefined();
  Entry entry = OrThrow(env, std::move(found));
  const EndsWish wish{ToCount(info[2]), ToCount(info[3]), info[4].ToBoolean()};
  Ends ends;
  WalkRecord record = OrThrow(env, rootfs::LookInside(entry, ToNames(info[1]), wish, &ends));
  // One piece of memory for all: where each ends, then all of them.
  constexpr uint32_t kNone = UINT32_MAX;
  std::string bytes;
  record.Append("", &bytes);
  std::string packed;
  AppendInteger(static_cast<uint32_t>(bytes.size()), &packed);
  AppendInteger(ends.is_read ? static_cast<uint32_t>(ends.head.size()) : kNone, &packed);
  AppendInteger(ends.is_read && ends.has_tail ? static_cast<uint32_t>(ends.tail.size()) : kNone, &packed);
  packed += bytes;
  if (ends.is_read) packed.append(ends.head).append(ends.has_tail ? ends.tail : "");
  return ToBuffer(env, packed);
}

Napi::Value RootObject::List(const Napi::CallbackInfo& info) {
  Entry entry = Find(info, EntryType::kDirectory);
  UniqueFd directory = OrThrow(info.Env(), ReopenDirectory(entry.fd.get()));
  DirectoryNames names = OrThrow(info.Env(), ReadNames(directory.get(), ToCount(info[1])));
  if (info[2].IsUndefined()) return ToBuffer(info.Env(), names.Pack());
  // Eight bytes each, little-endian.
  const std::string packed = ToBytes(info[2]);
  std::unordered_set<uint64_t> wanted;
  for (size_t at = 0; at + sizeof(uint64_t) <= packed.size(); at += sizeof(uint64_t)) {
    uint64_t ino = 0;
    std::memcpy(&ino, packed.data() + at, sizeof(ino));
    wanted.insert(ino);
  }
  DirectoryNames found;
  for (size_t i = 0; i < names.size(); i++) {
    if (wanted.count(names.InoAt(i)) > 0) found.Add(names[i]);
  }
  return ToBuffer(info.Env(), found.Pack());
}

Napi::Value RootObject::ReadLink(const Napi::CallbackInfo& info) {
  Entry entry = Find(info, EntryType::kSymlink);
  return ToBuffer(info.Env(), OrThrow(info.Env(), ReadLinkFd(entry.fd.get())));
}

Napi::Value RootObject::ReadFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry entry = Find(info, EntryType::kFile);
  int64_t length = info[3].ToNumber().Int64Value();
  ReadPlan plan = OrThrow(env, PlanRead(entry, ToCount(info[1]), ToCount(info[2]), length));
  auto content = Napi::Buffer<char>::New(env, plan.bytes);
  Status read = ReadPlanned(plan, content.Data());
  if (!read.ok) throw ToError(env, read);
  Napi::Object result = Napi::Object::New(env);
  result.Set("content", content);
  result.Set("stat", ToStatBuffer(env, plan.stat));
  return result;
}

Napi::Value RootObject::ReadRanges(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry entry = Find(info, EntryType::kFile);
  auto wishes = info[1].As<Napi::Array>();
  std::vector<Range> ranges;
  for (uint32_t i = 0; i + 1 < wishes.Length(); i += 2) {
    ranges.push_back({ToCount(wishes.Get(i)), ToCount(wishes.Get(i + 1))});
  }
  std::vector<std::string> parts = OrThrow(env, rootfs::ReadRanges(entry, ranges, ToCount(info[2])));
  Napi::Array contents = Napi::Array::New(env, parts.size());
  for (uint32_t i = 0; i < parts.size(); i++) contents.Set(i, ToBuffer(env, parts[i]));
  Napi::Object result = Napi::Object::New(env);
  result.Set("contents", contents);
  result.Set("stat", ToStatBuffer(env, entry.stat));
  return result;
}

Napi::Value RootObject::HashFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry entry = Find(info, EntryType::kFile);
  Hashed hashed = OrThrow(env, HashEntry(entry, ToCount(info[1])));
  Napi::Object result = Napi::Object::New(env);
  result.Set("sha256", Napi::Buffer<uint8_t>::Copy(env, hashed.sha256.data(), hashed.sha256.size()));
  result.Set("stat", ToStatBuffer(env, hashed.stat));
  return result;
}

Napi::Value RootObject::HashFilesAsync(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto list = info[0].As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < list.Length(); i++) paths.push_back(ToBytes(list.Get(i)));
  size_t threads = std::max<size_t>(1, std::min(paths.size(), ThreadPool::Get().max_threads()));
  auto job = std::make_shared<HashMany>(Opened(env), std::move(paths), ToCount(info[1]));
  return PoolTask::Run(
      env, threads, [job] { job->Run(); }, [job] { return PoolTask::Outcome(job->Pack()); },
      [](Napi::Env env, const std::string& packed) -> Napi::Value { return ToBuffer(env, packed); });
}

Napi::Value RootObject::GetXattr(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry entry = Find(info);
  Result<std::string> value = rootfs::GetXattr({entry.fd.get(), true}, info[1].ToString().Utf8Value());
  if (!value.ok() && value.status.code == Code::kNotFound) return env.Undefined();
  return ToBuffer(env, OrThrow(env, std::move(value)));
}

Napi::Value RootObject::ListXattrs(const Napi::CallbackInfo& info) {
  Entry entry = Find(info);
  DirectoryNames packed;
  for (const std::string& name : OrThrow(info.Env(), rootfs::ListXattrs({entry.fd.get(), true}))) packed.Add(name);
  return ToBuffer(info.Env(), packed.Pack());
}

Napi::Value RootObject::MeasureVerity(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Entry entry = Find(info, EntryType::kFile);
  Result<Verity> measured = rootfs::MeasureVerity(entry);
  if (!measured.ok() && measured.status.code == Code::kNotFound) return env.Undefined();
  Verity verity = OrThrow(env, std::move(measured));
  Napi::Object result = Napi::Object::New(env);
  result.Set("algorithm", Napi::Number::New(env, verity.algorithm));
  result.Set("digest", ToBuffer(env, verity.digest));
  return result;
}

Napi::Value RootObject::StartWalk(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto wishes = info[1].As<Napi::Object>();
  WalkOptions options;
  options.max_entries = ToCount(wishes.Get("maxEntries"));
  options.max_depth = ToCount(wishes.Get("maxDepth"));
  options.hash_files = wishes.Get("hashFiles").ToBoolean();
  options.max_file_bytes = ToCount(wishes.Get("maxFileBytes"));
  options.xattrs = ToNames(wishes.Get("xattrs"));
  std::unique_ptr<Walker> walker = OrThrow(env, Walker::Start(Opened(env), ToBytes(info[0]), std::move(options)));
  return WalkerObject::Wrap(env, std::move(walker));
}

Napi::Value RootObject::StartSurvey(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  SurveyOptions options{ToCount(info[0]), ToCount(info[1]), ToCount(info[2])};
  return SurveyObject::Wrap(env, Survey::Start(Opened(env), options));
}

Napi::Value RootObject::StartSift(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  SiftRule rule;
  if (!info[0].IsUndefined()) rule.claims = ClaimsObject::ClaimsOf(info[0]);
  // From then on threads read them.
  if (rule.claims != nullptr && !rule.claims->is_settled())
    throw Napi::TypeError::New(env, "settled claims are needed");
  rule.suffixes = SplitPaths(ViewOf(info[1]));
  for (std::string& suffix : SplitPaths(ViewOf(info[2]))) rule.quiet.insert(std::move(suffix));
  rule.min_program_bytes = ToCount(info[3]);
  rule.magic = ToBytes(info[4]);
  rule.min_bytes = ToCount(info[5]);
  return SiftObject::Wrap(env, std::make_unique<Sift>(Opened(env), std::move(rule), ToCount(info[6])));
}

Napi::Value RootObject::StartReads(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ReadManyOptions options{ToCount(info[1]), ToCount(info[2]), info[3].ToBoolean(), ToCount(info[4]), ToCount(info[5])};
  auto reads = std::make_unique<ManyReads>(Opened(env), SplitPaths(ToBytes(info[0])), options);
  return ReadsObject::Wrap(env, std::move(reads));
}

Napi::Value RootObject::TypesOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return ToBuffer(env, rootfs::TypesOf(Opened(env), SplitPaths(ToBytes(info[0])), ToCount(info[1])));
}

}  // namespace rootfs
