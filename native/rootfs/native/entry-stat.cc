#include "entry-stat.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace rootfs {

namespace {

constexpr unsigned kMask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

int64_t Nanoseconds(const struct statx_timestamp& time) {
  // A timestamp beyond 2262 is an attacker's; wrapping is as good as any other answer and must not be undefined.
  return static_cast<int64_t>(static_cast<uint64_t>(time.tv_sec) * 1000000000u + time.tv_nsec);
}

bool ToType(uint16_t mode, EntryType* type) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      *type = EntryType::kFile;
      return true;
    case S_IFDIR:
      *type = EntryType::kDirectory;
      return true;
    case S_IFLNK:
      *type = EntryType::kSymlink;
      return true;
    case S_IFCHR:
      *type = EntryType::kChar;
      return true;
    case S_IFBLK:
      *type = EntryType::kBlock;
      return true;
    case S_IFIFO:
      *type = EntryType::kFifo;
      return true;
    case S_IFSOCK:
      *type = EntryType::kSocket;
      return true;
    default:
      return false;
  }
}

Result<EntryStat> Stat(int directory, const char* name, int flags) {
  struct statx raw = {};
  // What a file system in user space knows by itself is enough: one that does not answer would hold the caller for
  // ever.
  if (statx(directory, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, kMask, &raw) != 0) {
    bool missing = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
    return Status::Fail(missing ? Code::kNotFound : Code::kSystem, errno, "statx");
  }
  EntryStat stat;
  if (!ToType(raw.stx_mode, &stat.type)) return Status::Fail(Code::kType, 0, "statx");
  stat.mode = raw.stx_mode & 07777;
  stat.uid = raw.stx_uid;
  stat.gid = raw.stx_gid;
  stat.nlink = raw.stx_nlink;
  stat.size = raw.stx_size;
  stat.rdev_major = raw.stx_rdev_major;
  stat.rdev_minor = raw.stx_rdev_minor;
  stat.mtime_ns = Nanoseconds(raw.stx_mtime);
  stat.ctime_ns = Nanoseconds(raw.stx_ctime);
  stat.blocks = raw.stx_blocks;
  stat.identity.dev_major = raw.stx_dev_major;
  stat.identity.dev_minor = raw.stx_dev_minor;
  stat.identity.ino = raw.stx_ino;
  stat.identity.has_mount_id = (raw.stx_mask & STATX_MNT_ID) != 0;
  stat.identity.mount_id = stat.identity.has_mount_id ? raw.stx_mnt_id : 0;
  stat.identity.birth_ns = (raw.stx_mask & STATX_BTIME) != 0 ? Nanoseconds(raw.stx_btime) : 0;
  return stat;
}

}  // namespace

bool Identity::operator==(const Identity& other) const {
  return dev_major == other.dev_major && dev_minor == other.dev_minor && ino == other.ino &&
         mount_id == other.mount_id && birth_ns == other.birth_ns;
}

bool Identity::SameMount(const Identity& other) const {
  if (has_mount_id && other.has_mount_id) return mount_id == other.mount_id;
  return dev_major == other.dev_major && dev_minor == other.dev_minor;
}

bool EntryStat::SameContent(const EntryStat& other) const {
  return size == other.size && mtime_ns == other.mtime_ns && ctime_ns == other.ctime_ns;
}

Result<EntryStat> StatFd(int fd) { return Stat(fd, "", AT_EMPTY_PATH); }

Result<EntryStat> StatName(int directory, const char* name) { return Stat(directory, name, 0); }

void AppendStat(const EntryStat& stat, std::string* out) {
  AppendInteger(static_cast<uint16_t>(stat.type), out);
  AppendInteger(stat.mode, out);
  AppendInteger(stat.uid, out);
  AppendInteger(stat.gid, out);
  AppendInteger(stat.nlink, out);
  AppendInteger(stat.size, out);
  AppendInteger(stat.identity.ino, out);
  AppendInteger(stat.identity.dev_major, out);
  AppendInteger(stat.identity.dev_minor, out);
  AppendInteger(stat.rdev_major, out);
  AppendInteger(stat.rdev_minor, out);
  AppendInteger(stat.mtime_ns, out);
  AppendInteger(stat.ctime_ns, out);
  AppendInteger(stat.blocks, out);
  AppendInteger(stat.identity.birth_ns, out);
}

}  // namespace rootfs
