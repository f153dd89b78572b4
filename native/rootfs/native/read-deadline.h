#ifndef ROOTFS_READ_DEADLINE_H_
#define ROOTFS_READ_DEADLINE_H_

#include <cstdint>

#include "status.h"

namespace rootfs {

// Nothing can end a thread that is inside a system call or a loop of ours: it has to look at the clock by itself.
// Counts for the calling thread alone, until it is set again; 0 takes it away.
void SetReadDeadline(uint64_t milliseconds_from_now);

// kLimit with the call `clock_gettime` once the calling thread's deadline has passed.
Status CheckReadDeadline();

}  // namespace rootfs

#endif  // ROOTFS_READ_DEADLINE_H_
