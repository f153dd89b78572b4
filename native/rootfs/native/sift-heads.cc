#include "sift-heads.h"

#include "entry-content.h"

namespace rootfs {

SiftHeads::SiftHeads(std::shared_ptr<const Root> root, std::string magic, std::string records)
    : root_(std::move(root)), magic_(std::move(magic)), bytes_(std::move(records)) {
  std::vector<std::string_view> split;
  (void)SplitRecords(bytes_, &split);
  records_.resize(split.size());
  stays_.resize(split.size());
  for (size_t i = 0; i < split.size(); i++) {
    (void)ReadRecord(split[i], &records_[i]);
    stays_[i].assign(records_[i].entries.size(), 1);
  }
}

bool SiftHeads::Step() {
  const size_t record = next_.fetch_add(1);
  if (record < records_.size()) Look(record);
  return record + 1 < records_.size();
}

void SiftHeads::Tell(std::string* sifted) const {
  for (size_t i = 0; i < records_.size(); i++) {
    RecordWriter writer(records_[i].path, sifted);
    for (size_t at = 0; at < records_[i].entries.size(); at++) {
      if (stays_[i][at] != 0) writer.Add(records_[i].entries[at]);
    }
    writer.Finish(Problem::kNone);
  }
}

// Whatever cannot be read here stays: whoever tries again says why.
void SiftHeads::Look(size_t record) {
  const SurveyRecord& looked = records_[record];
  Result<UniqueFd> directory = root_->OpenToList(looked.path);
  if (!directory.ok()) return;
  for (size_t at = 0; at < looked.entries.size(); at++) {
    stays_[record][at] = Stays(directory.value.get(), looked.entries[at].name);
  }
}

bool SiftHeads::Stays(int directory, std::string_view name) const {
  Result<Entry> entry = root_->FindName(directory, std::string(name));
  if (!entry.ok() || entry.value.stat.type != EntryType::kFile) return true;
  Result<std::string> head = ReadHead(entry.value, magic_.size());
  return !head.ok() || head.value == magic_;
}

}  // namespace rootfs
