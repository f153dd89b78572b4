#ifndef ROOTFS_ENTRY_LOOK_H_
#define ROOTFS_ENTRY_LOOK_H_

#include <string>
#include <vector>

#include "entry-content.h"
#include "root.h"
#include "walk-record.h"

namespace rootfs {

// kUnsupported where one of the names is hidden from this process, so that "not set" would say nothing.
Status CheckXattrPatterns(const std::vector<std::string>& patterns);

// Puts the attributes that a pattern names (a name, or a prefix with a final *) into the record; what cannot be read is
// a problem of the entry.
void ReadXattrs(XattrSource source, const std::vector<std::string>& patterns, WalkRecord* record);

// Everything that a walk would tell of an entry but its path and content, read from descriptors of that one object.
Result<WalkRecord> LookAt(const Entry& entry, const std::vector<std::string>& patterns);

// What is wanted of a regular file's content along with a look at it.
struct EndsWish {
  uint64_t bytes = 0;    // of each end
  uint64_t overlap = 0;  // how many of the first bytes the last ones may repeat, where both are all there is
  bool wants_tail = false;
};

struct Ends {
  bool is_read = false;  // of the state that was looked at; else they are to be asked for alone, which says why not
  std::string head;
  bool has_tail = false;
  std::string tail;
};

// The same with both ends of a regular file, which is opened once for all of it.
Result<WalkRecord> LookInside(const Entry& entry, const std::vector<std::string>& patterns, const EndsWish& wish,
                              Ends* ends);

}  // namespace rootfs

#endif  // ROOTFS_ENTRY_LOOK_H_
