#ifndef ROOTFS_SIFT_DIRECTORY_H_
#define ROOTFS_SIFT_DIRECTORY_H_

#include <string>
#include <string_view>

#include "sift.h"
#include "survey-records.h"

namespace rootfs {

// Records of what stays, and of what stays if its first bytes say so.
struct Sifted {
  std::string stays;
  std::string by_head;
};

// Sifts one record: looks at its files, in their directory.
class DirectorySift {
 public:
  DirectorySift(const Root& root, const SiftRule& rule, const SurveyRecord& record);

  Status Run(Sifted* sifted);

 private:
  enum class Verdict { kAway, kStays, kByHead };

  // What can be said of a file by its name alone; kByHead where that is not enough.
  Verdict JudgeName(const SurveyEntry& entry, bool* is_claimed) const;
  Status See(SurveyEntry* entry, bool* is_there);
  Status Open();

  const Root& root_;
  const SiftRule& rule_;
  const SurveyRecord& record_;
  const int64_t claimed_;  // the directory among the claims
  UniqueFd fd_;
  Problem problem_;
  bool is_closed_ = false;  // it could not be opened
};

}  // namespace rootfs

#endif  // ROOTFS_SIFT_DIRECTORY_H_
