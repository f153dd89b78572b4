#ifndef ROOTFS_SURVEY_RECORDS_H_
#define ROOTFS_SURVEY_RECORDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "entry-stat.h"
#include "walk-record.h"

namespace rootfs {

// A survey's batch is a list of records, each of one directory: length, length of the path, number of entries, problem
// of the directory (u32 each), path, entries. An entry: size (u64), mode, length of the name, type, problem (u16 each),
// name. Paths and names are filled up to four bytes.

// In place of a problem: a regular file by what its directory says, of which nothing else is known yet.
constexpr uint16_t kNotSeen = 0xffff;

struct SurveyEntry {
  uint64_t size = 0;
  uint16_t mode = 0;
  uint16_t type = 0;
  uint16_t problem = 0;
  std::string_view name;
};

struct SurveyRecord {
  std::string_view path;
  uint32_t problem = 0;
  std::vector<SurveyEntry> entries;
};

// The records of a batch. False where it is no batch.
bool SplitRecords(std::string_view batch, std::vector<std::string_view>* records);
// Reads one of them. False where it is malformed, or holds what is no name of a directory's entry.
bool ReadRecord(std::string_view bytes, SurveyRecord* record);

// Writes one record, entry by entry.
class RecordWriter {
 public:
  RecordWriter(std::string_view path, std::string* batch) : path_(path), batch_(batch), start_(batch->size()) {}

  void Add(const SurveyEntry& entry);
  // Leaves nothing where nothing was added and the directory has no problem.
  void Finish(Problem problem);

 private:
  void Begin();

  const std::string_view path_;
  std::string* const batch_;
  const size_t start_;
  uint32_t count_ = 0;
};

}  // namespace rootfs

#endif  // ROOTFS_SURVEY_RECORDS_H_
