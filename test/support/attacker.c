// What a container that is out to harm its reader does. Run as `attacker MODE [ARGUMENT...]` inside a container; every
// mode works until it is killed. `attacker watch PATH...` is the guard on the other side: it prints one line for every
// open of or read from a path that nobody may touch.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
  close(fd);
}

static void ready(void) {
  put("/ready", "ready");
}

static void exchange(const char* a, const char* b) {
  syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2);
}

// A directory turns into links that lead out, and back, as fast as the kernel allows. ARGUMENT: more link targets.
static void race_links(int count, char** targets) {
  static const char* always[] = {"/", "/proc/1/root", "/proc/self/root", "../../../../../../../../../../.."};
  char name[32];
  int links = 0;
  mkdir("/etc/race", 0755);
  if (chdir("/etc/race") != 0) fail("/etc/race");
  mkdir("dir", 0755);
  put("dir/canary", "inside");
  put("dir/passwd", "inside");
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof(name), "link%d", links++);
    if (symlink(always[i], name) != 0) fail(name);
  }
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof(name), "link%d", links++);
    if (symlink(targets[i], name) != 0) fail(name);
  }
  ready();
  for (int i = 0;; i++) {
    snprintf(name, sizeof(name), "link%d", i % links);
    exchange("dir", name);
    exchange("dir", name);
    if (i % 64 == 0) usleep(100);
  }
}

// Files of a package database turn into FIFOs and links and back. A FIFO that somebody has opened is told in /caught.
static void race_fifos(void) {
  mkdir("/var", 0755);
  mkdir("/var/lib", 0755);
  mkdir("/var/lib/dpkg", 0755);
  if (chdir("/var/lib/dpkg") != 0) fail("/var/lib/dpkg");
  put("status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n");
  if (mkfifo("fifo", 0644) != 0 || symlink("/proc/1/root/etc/shadow", "link") != 0) fail("mkfifo");
  ready();
  for (int i = 0;; i++) {
    exchange("status", i % 2 == 0 ? "fifo" : "link");
    int fd = open(i % 4 == 0 ? "status" : "fifo", O_WRONLY | O_NONBLOCK);
    struct stat seen;
    // Opening a FIFO for writing without waiting succeeds only while a reader has it open.
    if (fd >= 0 && fstat(fd, &seen) == 0 && S_ISFIFO(seen.st_mode)) put("/caught", "fifo");
    if (fd >= 0) close(fd);
    exchange("status", i % 2 == 0 ? "fifo" : "link");
    if (i % 64 == 0) usleep(100);
  }
}

static void make_nodes(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/etc/socket"};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr*)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) fail("bind");
  if (mkfifo("/etc/fifo", 0777) != 0) fail("mkfifo");
  if (mknod("/etc/tty", S_IFCHR | 0777, makedev(5, 0)) != 0) fail("mknod");
  if (mknod("/etc/watchdog", S_IFCHR | 0777, makedev(10, 130)) != 0) fail("mknod");
  if (mknod("/etc/disk", S_IFBLK | 0777, makedev(7, 0)) != 0) fail("mknod");
  mkdir("/var", 0755);
  mkdir("/var/lib", 0755);
  mkdir("/var/lib/dpkg", 0755);
  mkdir("/var/lib/rpm", 0755);
  mkdir("/lib", 0755);
  mkdir("/lib/apk", 0755);
  mkdir("/lib/apk/db", 0755);
  mkdir("/lib/apk/db/installed", 0755);
  if (mkfifo("/var/lib/dpkg/status", 0777) != 0) fail("mkfifo");
  if (mknod("/var/lib/rpm/rpmdb.sqlite", S_IFCHR | 0777, makedev(10, 130)) != 0) fail("mknod");
  if (symlink("/proc/1/root/etc/shadow", "/etc/os-release") != 0) fail("symlink");
}

// Holes that would take hours to read. ARGUMENT: how many files of 8 GiB beside one of 1 TiB.
static void make_holes(int count) {
  char name[64];
  for (int i = 0; i <= count; i++) {
    snprintf(name, sizeof(name), "/etc/hole%d", i);
    int fd = open(name, O_WRONLY | O_CREAT, 0755);
    if (fd < 0 || ftruncate(fd, i == 0 ? 1LL << 40 : 8LL << 30) != 0) fail(name);
    close(fd);
  }
}

static void make_deep(int depth) {
  mkdir("/etc/deep", 0755);
  if (chdir("/etc/deep") != 0) fail("/etc/deep");
  for (int i = 0; i < depth; i++) {
    if (mkdir("d", 0755) != 0 || chdir("d") != 0) fail("deep");
  }
  put("end", "#!/bin/sh\n");
}

static void make_names(void) {
  char name[256];
  if (chdir("/etc") != 0) fail("/etc");
  for (int first = 1; first < 256; first++) {
    if (first == '/') continue;
    memset(name, 0x80 + first % 0x7f, 255);
    name[0] = (char)first;
    name[255] = 0;
    put(name, "#!/bin/sh\n");
  }
  put("two\nlines", "x");
  put("\033]0;title\007\033[2J\033[31mred", "x");
  put("\xe2\x80\xae" "txt.exe", "x");
  put("{\"json\":\"\\u0000\"}", "x");
  put("__proto__", "x");
}

static void make_links(int count) {
  char name[64];
  mkdir("/etc/links", 0755);
  put("/etc/links/first", "#!/bin/sh\n");
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof(name), "/etc/links/%d", i);
    if (link("/etc/links/first", name) != 0) fail(name);
  }
}

static void make_xattrs(int files) {
  char name[64], value[64];
  memset(value, 'x', sizeof(value));
  mkdir("/etc/xattrs", 0755);
  for (int i = 0; i < files; i++) {
    snprintf(name, sizeof(name), "/etc/xattrs/%d", i);
    put(name, "x");
    for (int j = 0; j < 200; j++) {
      char key[64];
      snprintf(key, sizeof(key), "user.%d", j);
      if (setxattr(name, key, value, sizeof(value), 0) != 0) break;
    }
  }
}

// ARGUMENTS: MiB, and what is repeated in it: a stanza for each package, a line, or nothing at all.
static void make_database(int mebibytes, const char* what) {
  static char block[1 << 20];
  mkdir("/var", 0755);
  mkdir("/var/lib", 0755);
  mkdir("/var/lib/dpkg", 0755);
  int fd = open("/var/lib/dpkg/status", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) fail("status");
  if (strcmp(what, "hole") == 0) {
    if (ftruncate(fd, (off_t)mebibytes << 20) != 0) fail("ftruncate");
    return;
  }
  for (long package = 0, done = 0; done < (long)mebibytes << 20;) {
    size_t used = 0;
    while (used < sizeof(block) - 256) {
      used += (size_t)(strcmp(what, "lines") == 0
                           ? sprintf(block + used, "a\n")
                           : sprintf(block + used,
                                     "Package: p%ld\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n",
                                     package++));
    }
    if (write(fd, block, used) < 0) fail("write");
    done += (long)used;
  }
  close(fd);
}

// ARGUMENTS: how many, where. Directories of 10,000 files each.
static void make_many(int count, const char* where) {
  char name[256];
  mkdir(where, 0755);
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof(name), "%s/%d", where, i / 10000);
    if (i % 10000 == 0 && mkdir(name, 0755) != 0) fail(name);
    snprintf(name, sizeof(name), "%s/%d/%d", where, i / 10000, i);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) fail(name);
    close(fd);
  }
}

// A file is cut, grown, stored to and replaced while it is read.
static void rewrite(void) {
  static char block[1 << 20];
  memset(block, 'a', sizeof(block));
  ready();
  for (unsigned i = 0;; i++) {
    int fd = open("/etc/rewritten", O_RDWR | O_CREAT, 0755);
    if (fd < 0) fail("/etc/rewritten");
    for (int part = 0; part < 16; part++) {
      block[0] = (char)i;
      if (pwrite(fd, block, sizeof(block), (off_t)part << 20) < 0) fail("pwrite");
    }
    if (ftruncate(fd, i % 7 << 20) != 0) fail("ftruncate");
    close(fd);
    put("/etc/next", "#!/bin/sh\n");
    rename("/etc/next", "/etc/rewritten");
    usleep(200);
  }
}

// More events than the kernel queues, in relevant places and others.
static void storm(int workers) {
  ready();
  for (int i = 1; i < workers; i++) if (fork() == 0) break;
  char directory[64], name[128];
  snprintf(directory, sizeof(directory), "/etc/storm%d", (int)getpid());
  mkdir(directory, 0755);
  for (unsigned i = 0;; i++) {
    snprintf(name, sizeof(name), "%s/%u", directory, i % 30000);
    int fd = open(name, O_WRONLY | O_CREAT, 0755);
    if (fd < 0) continue;
    if (write(fd, "#!/bin/sh\n", 10) < 0) continue;
    close(fd);
    if (i % 2 == 0) unlink(name);
  }
}

static void fork_many(int count) {
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) for (;;) pause();
  }
}

// A file system whose server never answers: whoever asks it anything waits for ever. ARGUMENT: where.
static void mount_silent(const char* where) {
  char options[128];
  int fd = open("/dev/fuse", O_RDWR);
  if (fd < 0) fail("/dev/fuse");
  snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
  if (mount("silent", where, "fuse", 0, options) != 0) fail("mount");
  puts("mounted");
  fflush(stdout);
  for (;;) pause();
}

static void watch(int count, char** paths) {
  int fd = inotify_init();
  char buffer[65536];
  for (int i = 0; i < count; i++) {
    if (inotify_add_watch(fd, paths[i], IN_OPEN | IN_ACCESS | IN_DONT_FOLLOW) < 0) fail(paths[i]);
  }
  puts("watching");
  fflush(stdout);
  for (;;) {
    ssize_t bytes = read(fd, buffer, sizeof(buffer));
    if (bytes <= 0) fail("inotify");
    for (ssize_t at = 0; at < bytes;) {
      const struct inotify_event* event = (const struct inotify_event*)(buffer + at);
      printf("touched %s %x\n", event->wd > 0 && event->wd <= count ? paths[event->wd - 1] : "?", event->mask);
      at += (ssize_t)sizeof(*event) + event->len;
    }
    fflush(stdout);
  }
}

int main(int count, char** words) {
  if (count < 2) return 2;
  const char* mode = words[1];
  int number = count > 2 ? atoi(words[2]) : 0;
  signal(SIGCHLD, SIG_IGN);
  umask(0);
  if (strcmp(mode, "watch") == 0) watch(count - 2, words + 2);
  if (strcmp(mode, "silent") == 0 && count > 2) mount_silent(words[2]);
  if (strcmp(mode, "links-race") == 0) race_links(count - 2, words + 2);
  if (strcmp(mode, "fifo-race") == 0) race_fifos();
  if (strcmp(mode, "rewrite") == 0) rewrite();
  if (strcmp(mode, "storm") == 0) storm(number);
  if (strcmp(mode, "nodes") == 0) make_nodes();
  if (strcmp(mode, "holes") == 0) make_holes(number);
  if (strcmp(mode, "deep") == 0) make_deep(number);
  if (strcmp(mode, "names") == 0) make_names();
  if (strcmp(mode, "hard-links") == 0) make_links(number);
  if (strcmp(mode, "xattrs") == 0) make_xattrs(number);
  if (strcmp(mode, "many") == 0) make_many(number, count > 3 ? words[3] : "/etc/many");
  if (strcmp(mode, "database") == 0) make_database(number, count > 3 ? words[3] : "stanzas");
  if (strcmp(mode, "processes") == 0) fork_many(number);
  ready();
  for (;;) pause();
}
