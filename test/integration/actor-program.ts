import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Does inside a container what an attacker would, then waits. */
const SOURCE = String.raw`
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *shared;
static void store(int signal) { (void)signal; shared[0]++; }

static void copy(const char *from, int to) {
  char block[65536];
  int in = open(from, O_RDONLY);
  for (ssize_t got; (got = read(in, block, sizeof block)) > 0;)
    if (write(to, block, got) != got) _exit(3);
  close(in);
}

#ifdef __x86_64__
#include <sys/user.h>
/** Puts code that waits for ever where a traced process stands, and lets it go on. */
static void take_over(int process) {
  static const unsigned char pause_for_ever[16] = {0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7};
  struct user_regs_struct registers;
  long words[2];
  memcpy(words, pause_for_ever, sizeof words);
  waitpid(process, 0, 0);
  ptrace(PTRACE_GETREGS, process, 0, &registers);
  for (int at = 0; at < 2; at++) ptrace(PTRACE_POKETEXT, process, (void *)(registers.rip + 8 * at), (void *)words[at]);
  ptrace(PTRACE_DETACH, process, 0, 0);
}
#else
static void take_over(int process) { kill(process, SIGKILL); }
#endif

static int rest(void) { for (;;) pause(); }
static void *go_on(void *none) { (void)none; for (;;) pause(); }

int main(int count, char **words) {
  const char *act = count > 1 ? words[1] : "rest", *one = count > 2 ? words[2] : "", *two = count > 3 ? words[3] : "";
  char *again[] = {"actor", count > 4 ? words[4] : "rest", 0}, *end[] = {"actor", "end", 0}, *none[] = {0};
  if (!strcmp(act, "end")) return 0;
  if (!strcmp(act, "rest")) return rest();
  if (!strcmp(act, "headless")) {
    pthread_t other;
    if (!pthread_create(&other, 0, go_on, 0)) pthread_exit(0);
  }
  if (!strcmp(act, "pose")) {
    int file = memfd_create("runc", 0), process;
    copy(one, file);
    if (!(process = fork())) {
      ptrace(PTRACE_TRACEME, 0, 0, 0);
      fexecve(file, again, none);
      _exit(4);
    }
    take_over(process);
    return rest();
  }
  if (!strcmp(act, "memfd")) {
    int file = memfd_create(one, 0);
    copy(two, file);
    fexecve(file, again, none);
  }
  if (!strcmp(act, "map") && mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, open(one, O_RDONLY), 0) != MAP_FAILED)
    return rest();
  if (!strcmp(act, "anonymous") &&
      mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
    return rest();
  if (!strcmp(act, "share")) {
    int file = open(one, O_RDWR);
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    signal(SIGUSR1, store);
    if (shared != MAP_FAILED) return rest();
  }
  if (!strcmp(act, "chroot") && !chroot(one) && !chdir("/")) execv(two, again);
  if (!strcmp(act, "detached") && !mount(one, two, 0, MS_BIND, 0) && !chdir(two) && !umount2(two, MNT_DETACH))
    execl(words[4], "actor", "rest", (char *)0);
  if (!strcmp(act, "deep")) {
    char name[201] = "";
    memset(name, 'd', 200);
    for (int level = 0; level < 21; level++)
      if (mkdir(name, 0700) || chdir(name)) return 5;
    copy(one, open("deep", O_CREAT | O_WRONLY, 0700));
    if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, open("deep", O_RDONLY), 0) != MAP_FAILED) return rest();
  }
  if (!strcmp(act, "cover") && !unshare(CLONE_NEWNS) && !mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) &&
      !mount("none", one, "tmpfs", 0, 0))
    return rest();
  if (!strcmp(act, "brief")) {
    int file = open(two, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    copy(one, file);
    close(file);
    if (!fork()) execv(two, end);
    wait(0);
    return unlink(two);
  }
  return 2;
}
`;

/** Compiles the program, linked statically. */
export async function compileActor(): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-actor-'));
  try {
    const [source, program] = [join(directory, 'actor.c'), join(directory, 'actor')];
    await writeFile(source, SOURCE);
    await run('gcc', ['-O1', '-static', '-s', '-o', program, source]);
    return await readFile(program);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Says why the program cannot be compiled here; undefined where it can. */
export async function whyNoCompiler(): Promise<string | undefined> {
  const isThere = await run('gcc', ['--version']).then(
    () => true,
    () => false,
  );
  if (!isThere && process.env['CI'] !== undefined) throw new Error('gcc is needed in CI');
  return isThere ? undefined : 'gcc is not installed';
}
