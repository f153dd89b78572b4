#include "sift.h"

#include <mutex>
#include <utility>

#include "dealer.h"
#include "sift-directory.h"
#include "survey-records.h"

namespace rootfs {

namespace {

constexpr size_t kMostBegun = 8;  // batches at which helpers may work
constexpr size_t kMostBegunBytes = 4 * 1024 * 1024;
constexpr size_t kMostHeadsBytes = 4 * 1024 * 1024;  // of records whose files are being looked into
constexpr size_t kMostToldBytes = 1024 * 1024;       // of those that stay, until they are told
constexpr size_t kStride = 4;                        // records that a thread takes at a time

}  // namespace

// One batch.
struct Sift::Job {
  Job(std::shared_ptr<const Root> the_root, std::shared_ptr<const SiftRule> the_rule, std::string the_batch,
      size_t records)
      : root(std::move(the_root)),
        rule(std::move(the_rule)),
        batch(std::move(the_batch)),
        sifted(records),
        dealer(records, kStride) {}

  void Run() {
    dealer.ForEach([this](size_t i) {
      SurveyRecord record;
      Status status = ReadRecord(records[i], &record) ? DirectorySift(*root, *rule, record).Run(&sifted[i])
                                                      : Status::Fail(Code::kType, 0, "survey");
      if (!status.ok) Fail(status);
    });
  }

  void Fail(const Status& status) {
    std::lock_guard<std::mutex> lock(mutex);
    if (failure.ok) failure = status;
  }

  const std::shared_ptr<const Root> root;
  const std::shared_ptr<const SiftRule> rule;
  const std::string batch;
  std::vector<std::string_view> records;
  std::vector<Sifted> sifted;  // one for each record
  Dealer dealer;
  std::mutex mutex;
  Status failure;
};

Sift::Sift(std::shared_ptr<const Root> root, SiftRule rule, size_t helpers)
    : root_(std::move(root)), rule_(std::make_shared<const SiftRule>(std::move(rule))), helpers_(helpers) {}

Result<std::string> Sift::Take(std::string batch) {
  std::vector<std::string_view> counted;
  if (!SplitRecords(batch, &counted)) return Status::Fail(Code::kType, 0, "survey");
  auto job = std::make_shared<Job>(root_, rule_, std::move(batch), counted.size());
  (void)SplitRecords(job->batch, &job->records);
  auto work = SharedWork::Start(helpers_, [job] { job->Run(); });
  begun_bytes_ += job->batch.size();
  begun_.push_back({std::move(job), std::move(work)});
  std::string sifted;
  while (begun_.size() > (helpers_ == 0 ? 0 : kMostBegun) || begun_bytes_ > kMostBegunBytes) {
    Status ended = End(&sifted);
    if (!ended.ok) return ended;
  }
  return sifted;
}

Result<std::string> Sift::Rest() {
  std::string sifted;
  while (!begun_.empty()) {
    Status ended = End(&sifted);
    if (!ended.ok) return ended;
  }
  return sifted;
}

std::string Sift::Heads() {
  while (!heads_.empty()) EndHeads();
  return std::exchange(told_heads_, std::string());
}

Status Sift::End(std::string* sifted) {
  const Begun oldest = std::move(begun_.front());
  begun_.pop_front();
  begun_bytes_ -= oldest.job->batch.size();
  oldest.work->Finish();
  if (!oldest.job->failure.ok) return oldest.job->failure;
  std::string by_head;
  for (const Sifted& record : oldest.job->sifted) {
    *sifted += record.stays;
    by_head += record.by_head;
  }
  if (by_head.empty()) return {};
  heads_bytes_ += by_head.size();
  auto heads = std::make_shared<SiftHeads>(root_, rule_->magic, std::move(by_head));
  auto work = SharedWork::StartLater(helpers_ == 0 ? 0 : heads->steps(), [heads] { return heads->Step(); });
  heads_.push_back({std::move(heads), std::move(work)});
  while (heads_bytes_ > kMostHeadsBytes) EndHeads();
  // A tree of programs alone would otherwise be told in one piece.
  if (told_heads_.size() > kMostToldBytes) *sifted += std::exchange(told_heads_, std::string());
  return {};
}

void Sift::EndHeads() {
  const BegunHeads oldest = std::move(heads_.front());
  heads_.pop_front();
  heads_bytes_ -= oldest.heads->bytes();
  oldest.work->Finish();
  oldest.heads->Tell(&told_heads_);
}

}  // namespace rootfs
