#include <fcntl.h>

#include <cerrno>
#include <climits>
#include <deque>

#include "root.h"

namespace rootfs {

namespace {

constexpr int kMaxLinks = 40;
constexpr size_t kMaxParts = 1 << 16;

// One resolution: where it stands, through which real directories it came, and what is still to go.
class PartWalk {
 public:
  PartWalk(int root, const Identity& root_identity) : root_(root) { trail_.push_back(root_identity); }

  Result<UniqueFd> Run(const std::vector<std::string_view>& parts, bool follow_parents) {
    for (std::string_view part : parts) todo_.emplace_back(part);
    current_.Reset(fcntl(root_, F_DUPFD_CLOEXEC, 0));
    if (!current_.valid()) return Status::Fail(Code::kSystem, errno, "fcntl");
    while (!todo_.empty()) {
      std::string part = std::move(todo_.front());
      todo_.pop_front();
      Status step = part == ".." ? GoUp() : GoDown(part, todo_.empty(), follow_parents);
      if (!step.ok) return step;
    }
    return std::move(current_);
  }

 private:
  Status GoDown(const std::string& part, bool last, bool follow_parents) {
    UniqueFd next(openat(current_.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) {
      bool missing = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
      return Status::Fail(missing ? Code::kNotFound : Code::kSystem, errno, "openat");
    }
    Result<EntryStat> stat = StatFd(next.get());
    if (!stat.ok()) return stat.status;
    if (!stat.value.identity.SameMount(trail_.front())) return Status::Fail(Code::kEscape, EXDEV, "openat");
    if (!last && stat.value.type == EntryType::kSymlink) {
      return follow_parents ? FollowLink(next.get()) : Status::Fail(Code::kNotFound, ELOOP, "openat");
    }
    if (!last && stat.value.type != EntryType::kDirectory) return Status::Fail(Code::kNotFound, ENOTDIR, "openat");
    current_ = std::move(next);
    trail_.push_back(stat.value.identity);
    return {};
  }

  // The parent counts only if it is the directory that this walk came through; else somebody moved one of them.
  Status GoUp() {
    if (trail_.size() == 1) return {};
    trail_.pop_back();
    UniqueFd parent(openat(current_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent.valid()) return Status::Fail(Code::kSystem, errno, "openat");
    Result<EntryStat> stat = StatFd(parent.get());
    if (!stat.ok()) return stat.status;
    if (!(stat.value.identity == trail_.back())) return Status::Fail(Code::kChanged, 0, "openat");
    current_ = std::move(parent);
    return {};
  }

  // The text of a link, also of a magic one, is only ever read as a path inside the root.
  Status FollowLink(int link) {
    if (++links_ > kMaxLinks) return Status::Fail(Code::kEscape, ELOOP, "readlinkat");
    char target[PATH_MAX];
    ssize_t bytes = readlinkat(link, "", target, sizeof(target));
    if (bytes < 0) return Status::Fail(Code::kSystem, errno, "readlinkat");
    std::string_view text(target, static_cast<size_t>(bytes));
    std::vector<std::string_view> parts = SplitPath(text);
    if (todo_.size() + parts.size() > kMaxParts) return Status::Fail(Code::kEscape, ELOOP, "readlinkat");
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) todo_.emplace_front(*part);
    if (text.empty() || text.front() != '/') return {};
    trail_.resize(1);
    current_.Reset(fcntl(root_, F_DUPFD_CLOEXEC, 0));
    return current_.valid() ? Status{} : Status::Fail(Code::kSystem, errno, "fcntl");
  }

  int root_;
  UniqueFd current_;
  std::vector<Identity> trail_;
  std::deque<std::string> todo_;
  int links_ = 0;
};

}  // namespace

Result<UniqueFd> OpenByParts(int root, const Identity& root_identity, const std::vector<std::string_view>& parts,
                             bool follow_parents) {
  return PartWalk(root, root_identity).Run(parts, follow_parents);
}

}  // namespace rootfs
