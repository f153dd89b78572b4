#ifndef ROOTFS_SURVEY_H_
#define ROOTFS_SURVEY_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "directory-listing.h"
#include "root.h"

namespace rootfs {

struct SurveyOptions {
  uint64_t max_entries = 0;
  uint64_t max_depth = 0;
  size_t helpers = 0;  // pool threads that work ahead of the reader
};

// Tells the files of a whole tree, directory by directory, a directory's parent always before it and otherwise in no
// order. Works without any helper too: whoever asks for the next batch does what is left to do.
class Survey : public std::enable_shared_from_this<Survey> {
 public:
  // Helpers begin at once.
  static std::shared_ptr<Survey> Start(std::shared_ptr<const Root> root, SurveyOptions options);

  // Records of the next directories, for Sift; empty at the end. One thread at a time. After a failure the survey is
  // over.
  Result<std::string> Next();
  // Paths of all symbolic links, each ended by NUL; kLimit before the end, after a failure, and where they are very
  // many.
  Result<std::string> Links();
  // Helpers leave as soon as they can; nothing more is told.
  void Stop();

 private:
  // Directories that were seen in one and wait to be listed.
  struct Level {
    DirectoryPath parent;
    DirectoryNames names;
    std::shared_ptr<const UniqueFd> fd;  // null where very many are open
    size_t next = 0;
  };

  Survey(std::shared_ptr<const Root> root, SurveyOptions options) : root_(std::move(root)), options_(options) {}

  void StartHelpers();
  void Help();
  // Lists a part of one directory; false where none waits. Lets go of the lock meanwhile.
  bool Step(std::unique_lock<std::mutex>* lock);
  std::unique_ptr<DirectoryListing> Take();
  void Keep(std::unique_ptr<DirectoryListing> listing, UniqueFd fd);
  void KeepLinks(const std::string& links);
  void Fail(const Status& status);

  const std::shared_ptr<const Root> root_;
  const SurveyOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Level> levels_;
  std::vector<std::unique_ptr<DirectoryListing>> begun_;
  std::string ready_;
  std::string links_;
  bool are_links_cut_ = false;
  Status failure_;
  size_t active_ = 0;
  size_t helping_ = 0;
  bool stopped_ = false;
  std::atomic<uint64_t> entries_{0};
};

}  // namespace rootfs

#endif  // ROOTFS_SURVEY_H_
