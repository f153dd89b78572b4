#ifndef ROOTFS_SIFT_HEADS_H_
#define ROOTFS_SIFT_HEADS_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "root.h"
#include "survey-records.h"

namespace rootfs {

// Files of which their first bytes tell whether they stay; records of a survey, of files that were seen.
class SiftHeads {
 public:
  SiftHeads(std::shared_ptr<const Root> root, std::string magic, std::string records);

  // Looks at some of the files; several threads may. False where none is left.
  bool Step();
  // Steps until none is left.
  size_t steps() const { return records_.size(); }
  size_t bytes() const { return bytes_.size(); }
  // After all of them: the records of those that stay.
  void Tell(std::string* sifted) const;

 private:
  void Look(size_t record);
  bool Stays(int directory, std::string_view name) const;

  const std::shared_ptr<const Root> root_;
  const std::string magic_;
  const std::string bytes_;
  std::vector<SurveyRecord> records_;
  std::vector<std::vector<char>> stays_;  // of each record, so that threads write side by side
  std::atomic<size_t> next_{0};
};

}  // namespace rootfs

#endif  // ROOTFS_SIFT_HEADS_H_
