#include "many-paths.h"

#include <algorithm>

#include "dealer.h"
#include "entry-content.h"

namespace rootfs {

namespace {

constexpr uint32_t kAskAlone = UINT32_MAX;
constexpr char kNoType = '\xff';

// Takes from what is left; false where that is not enough.
bool Spend(std::atomic<uint64_t>* left, uint64_t bytes) {
  uint64_t before = left->load();
  do {
    if (before < bytes) return false;
  } while (!left->compare_exchange_weak(before, before - bytes));
  return true;
}

}  // namespace

struct ManyReads::Job {
  struct Content {
    std::string bytes;
    bool is_read = false;
  };

  Job(std::shared_ptr<const Root> the_root, std::vector<std::string> the_paths, ReadManyOptions the_options)
      : root(std::move(the_root)),
        paths(std::move(the_paths)),
        options(the_options),
        contents(paths.size()),
        dealer(paths.size()),
        left(the_options.max_all_bytes) {}

  void Read(size_t i) {
    Result<Entry> entry = root->Find(paths[i], EntryType::kFile);
    if (!entry.ok()) return;
    int64_t length = options.heads ? static_cast<int64_t>(options.max_bytes) : -1;
    Result<ReadPlan> plan = PlanRead(entry.value, options.max_bytes, 0, length);
    if (!plan.ok()) return;
    const uint64_t head = plan.value.bytes;
    const uint64_t end = options.heads ? std::min(options.end_bytes, plan.value.stat.size - head) : 0;
    if (!Spend(&left, head + end)) return;
    std::string& bytes = contents[i].bytes;
    if (options.end_bytes > 0) AppendInteger(plan.value.stat.size, &bytes);
    const size_t start = bytes.size();
    bytes.resize(start + head + end);
    contents[i].is_read = ReadPlanned(plan.value, bytes.data() + start).ok;
    if (!contents[i].is_read || end == 0) return;
    plan.value.offset = plan.value.stat.size - end;
    plan.value.bytes = end;
    contents[i].is_read = ReadPlanned(plan.value, bytes.data() + start + head).ok;
  }

  const std::shared_ptr<const Root> root;
  const std::vector<std::string> paths;
  const ReadManyOptions options;
  std::vector<Content> contents;
  Dealer dealer;
  std::atomic<uint64_t> left;
};

std::vector<std::string> SplitPaths(std::string_view packed) {
  std::vector<std::string> paths;
  for (size_t at = 0; at < packed.size();) {
    size_t end = packed.find('\0', at);
    if (end == std::string_view::npos) end = packed.size();
    paths.emplace_back(packed.substr(at, end - at));
    at = end + 1;
  }
  return paths;
}

ManyReads::ManyReads(std::shared_ptr<const Root> root, std::vector<std::string> paths, ReadManyOptions options)
    : job_(std::make_shared<Job>(std::move(root), std::move(paths), options)) {
  work_ = SharedWork::Start(options.helpers, [job = job_] { job->dealer.ForEach([&](size_t i) { job->Read(i); }); });
}

std::string ManyReads::Take() {
  work_->Finish();
  std::string packed;
  packed.reserve(job_->paths.size() * (sizeof(uint32_t) + sizeof(uint64_t)) + job_->options.max_all_bytes -
                 job_->left.load());
  for (Job::Content& content : job_->contents) {
    AppendInteger(content.is_read ? static_cast<uint32_t>(content.bytes.size()) : kAskAlone, &packed);
    if (content.is_read) packed += content.bytes;
    content = {};
  }
  return packed;
}

std::string TypesOf(const std::shared_ptr<const Root>& root, std::vector<std::string> paths, size_t helpers) {
  struct Job {
    std::shared_ptr<const Root> root;
    std::vector<std::string> paths;
    std::string types;
    Dealer dealer;
  };
  const size_t count = paths.size();
  std::shared_ptr<Job> job(new Job{root, std::move(paths), std::string(count, kNoType), Dealer(count)});
  SharedWork::Start(helpers, [job] {
    job->dealer.ForEach([&](size_t i) {
      Result<Entry> entry = job->root->Find(job->paths[i]);
      if (entry.ok()) job->types[i] = static_cast<char>(entry.value.stat.type);
    });
  })->Finish();
  return std::move(job->types);
}

}  // namespace rootfs
