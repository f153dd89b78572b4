#include "survey-records.h"

#include <cstring>

namespace rootfs {

namespace {

constexpr size_t kHead = 16;  // of a record, and of an entry in it

size_t Align(size_t at) { return (at + 3) / 4 * 4; }

template <typename T>
T At(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

void AppendAligned(std::string_view text, std::string* out) {
  out->append(text).append(Align(text.size()) - text.size(), '\0');
}

}  // namespace

bool SplitRecords(std::string_view batch, std::vector<std::string_view>* records) {
  for (size_t at = 0; at < batch.size();) {
    if (batch.size() - at < kHead) return false;
    const size_t bytes = At<uint32_t>(batch, at);
    if (bytes < kHead || bytes > batch.size() - at) return false;
    records->push_back(batch.substr(at, bytes));
    at += bytes;
  }
  return true;
}

bool ReadRecord(std::string_view bytes, SurveyRecord* record) {
  const size_t path_bytes = At<uint32_t>(bytes, 4);
  const uint32_t count = At<uint32_t>(bytes, 8);
  record->problem = At<uint32_t>(bytes, 12);
  if (path_bytes > bytes.size() - kHead) return false;
  record->path = bytes.substr(kHead, path_bytes);
  size_t at = kHead + Align(path_bytes);
  if (at > bytes.size() || count > (bytes.size() - at) / kHead) return false;
  record->entries.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    if (bytes.size() - at < kHead) return false;
    const size_t name_bytes = At<uint16_t>(bytes, at + 10);
    const size_t end = at + kHead + Align(name_bytes);
    if (end > bytes.size()) return false;
    // It is opened by this name in its directory, and must not lead out of it.
    const std::string_view name = bytes.substr(at + kHead, name_bytes);
    const bool is_name = !name.empty() && name != "." && name != "..";
    if (!is_name || name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos) return false;
    record->entries.push_back({At<uint64_t>(bytes, at), At<uint16_t>(bytes, at + 8), At<uint16_t>(bytes, at + 12),
                               At<uint16_t>(bytes, at + 14), name});
    at = end;
  }
  return at == bytes.size();
}

void RecordWriter::Begin() {
  batch_->append(kHead, '\0');
  AppendAligned(path_, batch_);
}

void RecordWriter::Add(const SurveyEntry& entry) {
  if (count_++ == 0) Begin();
  AppendInteger(entry.size, batch_);
  AppendInteger(entry.mode, batch_);
  AppendInteger(static_cast<uint16_t>(entry.name.size()), batch_);
  AppendInteger(entry.type, batch_);
  AppendInteger(entry.problem, batch_);
  AppendAligned(entry.name, batch_);
}

void RecordWriter::Finish(Problem problem) {
  if (count_ == 0) {
    if (problem == Problem::kNone) return;
    Begin();
  }
  const uint32_t head[] = {static_cast<uint32_t>(batch_->size() - start_), static_cast<uint32_t>(path_.size()), count_,
                           static_cast<uint32_t>(problem)};
  static_assert(sizeof(head) == kHead);
  std::memcpy(batch_->data() + start_, head, sizeof(head));
}

}  // namespace rootfs
