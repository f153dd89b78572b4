#ifndef ROOTFS_SIFT_H_
#define ROOTFS_SIFT_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "path-claims.h"
#include "root.h"
#include "shared-work.h"
#include "sift-heads.h"

namespace rootfs {

struct SiftRule {
  std::shared_ptr<const PathClaims> claims;  // settled; where there are none everything stays
  std::vector<std::string> suffixes;         // lower case
  std::unordered_set<std::string> quiet;     // what follows the last dot of a name
  uint64_t min_program_bytes = 0;
  std::string magic;       // what a program begins with
  uint64_t min_bytes = 0;  // no program is smaller
};

// Looks at the files that a survey lists, as far as they are of interest. Stays: what has a problem, names that end in
// one of `suffixes`, programs of at least `min_program_bytes` with a bit for execution unless they are claimed and
// quiet, and of all other files those that nobody claims and that begin with `magic`, or of which that could not be
// found out.
class Sift {
 public:
  // `helpers`: pool threads that work ahead of the reader.
  Sift(std::shared_ptr<const Root> root, SiftRule rule, size_t helpers);

  // What is left of earlier batches, but for files that have to be looked into; a lack of memory or descriptors is a
  // failure, kType that one was none of Survey::Next. One thread at a time.
  Result<std::string> Take(std::string batch);
  // After the last batch: what is left of those that are not done.
  Result<std::string> Rest();
  // Of files that had to be looked into, as far as Take and Rest did not tell them; a few mebibytes at most.
  std::string Heads();

 private:
  struct Job;
  struct Begun {
    std::shared_ptr<Job> job;
    std::shared_ptr<SharedWork> work;
  };

  struct BegunHeads {
    std::shared_ptr<SiftHeads> heads;
    std::shared_ptr<SharedWork> work;
  };

  Status End(std::string* sifted);
  void EndHeads();

  const std::shared_ptr<const Root> root_;
  const std::shared_ptr<const SiftRule> rule_;
  const size_t helpers_;
  std::deque<Begun> begun_;
  size_t begun_bytes_ = 0;
  std::deque<BegunHeads> heads_;
  size_t heads_bytes_ = 0;
  std::string told_heads_;
};

}  // namespace rootfs

#endif  // ROOTFS_SIFT_H_
