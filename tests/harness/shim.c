/* A disk that fails, halts or loses power on demand, between a program and the kernel (LD_PRELOAD).
 *
 *   SHIM_PROGRAM  only in a process of this name (children inherit the environment)
 *   SHIM_DIRS     only on files below these directories, separated by colons
 *   SHIM_CONTROL  a file with rules, read again at each operation: "generation N" in its first line (another N sets
 *                 all counts to zero), then lines "OPERATION MATCH FIRST COUNT ACTION ARGUMENT"
 *   SHIM_JOURNAL  what was done is appended here, to rebuild what a disk may hold after a loss of power
 *   SHIM_SYNC     "skip": syncs are noted and not passed on (the machine itself won't lose power)
 *
 * OPERATION  open (to write or create), write, sync, dirsync, truncate, rename, unlink, reserve, mkdir, or any
 * MATCH      a part of the path, or *
 * FIRST      from the how-manyth such operation on, from 1
 * COUNT      for how many; 0: all further ones
 * ACTION     kill-before, kill-middle (a half-done write), kill-after;
 *            error ERRNO (nothing is done); short (half of a write is done, and says so);
 *            lie (a sync says that it succeeded and does nothing);
 *            drop (a sync fails with EIO and forgets what it had to write, as Linux does: the next one succeeds);
 *            delay MILLISECONDS; hang (until the rules change)
 *
 * The journal: entries of eight 64-bit numbers (kind, inode, offset, length, bytes of path, bytes of data, 0, 0), then
 * path and data. Operations are done one at a time, so that its order is theirs. SQLite's shared memory is not a file
 * that lasts, and is left alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, TRUNCATE, RESERVE, SYNC, DROP, RENAME, UNLINK, DIRSYNC };
enum action { NONE, KILL_BEFORE, KILL_MIDDLE, KILL_AFTER, ERROR, SHORT, DROPPED, LIE, DELAY, HANG };
enum { DESCRIPTORS = 65536, RULES = 32 };

struct verdict { enum action action; long argument; };

static int active, skip_sync, journal = -1;
static char dirs[4][PATH_MAX], *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { char *path; uint64_t inode; int directory; } files[DESCRIPTORS];
static long generation = -1, seen[RULES];

static void die(void) {
    for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

static int below(const char *path) {
    for (int i = 0; i < 4; i++) {
        size_t length = strlen(dirs[i]);
        if (length && !strncmp(path, dirs[i], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

static int watched(const char *path) {
    size_t length = path ? strlen(path) : 0;
    return active && length && below(path) && !(length > 4 && !strcmp(path + length - 4, "-shm"));
}

__attribute__((constructor)) static void start(void) {
    char self[PATH_MAX], *program = getenv("SHIM_PROGRAM"), *list = getenv("SHIM_DIRS"), *name = getenv("SHIM_JOURNAL");
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    control = getenv("SHIM_CONTROL");
    if (length < 0 || !program || !list || !control) return;
    self[length] = 0;
    const char *base = strrchr(self, '/');
    if (strcmp(base ? base + 1 : self, program)) return;
    char copy[4 * PATH_MAX];
    snprintf(copy, sizeof copy, "%s", list);
    int i = 0;
    for (char *rest, *dir = strtok_r(copy, ":", &rest); dir && i < 4; dir = strtok_r(NULL, ":", &rest))
        snprintf(dirs[i++], PATH_MAX, "%s", dir);
    if (name) journal = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    skip_sync = getenv("SHIM_SYNC") && !strcmp(getenv("SHIM_SYNC"), "skip");
    active = 1;
}

static const struct { const char *name; enum action action; } actions[] = {
    {"kill-before", KILL_BEFORE}, {"kill-middle", KILL_MIDDLE}, {"kill-after", KILL_AFTER}, {"error", ERROR},
    {"short", SHORT}, {"drop", DROPPED}, {"lie", LIE}, {"delay", DELAY}, {"hang", HANG},
};

static struct verdict decide(const char *operation, const char *path) {
    struct verdict verdict = {NONE, 0};
    char text[4096];
    int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : syscall(SYS_read, file, text, sizeof text - 1);
    if (file >= 0) syscall(SYS_close, file);
    if (length <= 0) return verdict;
    text[length] = 0;
    char *rest, *line = strtok_r(text, "\n", &rest);
    long now = 0;
    sscanf(line, "generation %ld", &now);
    if (now != generation) { generation = now; memset(seen, 0, sizeof seen); }
    for (int rule = 0; rule < RULES && (line = strtok_r(NULL, "\n", &rest)); rule++) {
        char wanted[16], match[128], action[16];
        long first, count, argument = 0;
        if (sscanf(line, "%15s %127s %ld %ld %15s %ld", wanted, match, &first, &count, action, &argument) < 5) continue;
        if (strcmp(wanted, operation) && strcmp(wanted, "any")) continue;
        if (strcmp(match, "*") && !strstr(path, match)) continue;
        long at = ++seen[rule];
        if (verdict.action != NONE || at < first || (count && at >= first + count)) continue;
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
            if (!strcmp(actions[i].name, action)) verdict = (struct verdict){actions[i].action, argument};
    }
    return verdict;
}

static void rest(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int unchanged(long since) {
    char text[64] = "";
    long now = since;
    int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 1;
    if (syscall(SYS_read, file, text, sizeof text - 1) > 0) sscanf(text, "generation %ld", &now);
    syscall(SYS_close, file);
    return now == since;
}

/* Takes the lock. */
static struct verdict enter(const char *operation, const char *path) {
    pthread_mutex_lock(&lock);
    struct verdict verdict = decide(operation, path);
    if (verdict.action == KILL_BEFORE) die();
    if (verdict.action == DELAY || verdict.action == HANG) {
        long since = generation;
        pthread_mutex_unlock(&lock);
        if (verdict.action == DELAY) rest(verdict.argument);
        else while (unchanged(since)) rest(10);
        pthread_mutex_lock(&lock);
        verdict.action = NONE;
    }
    return verdict;
}

static void note(enum kind kind, uint64_t inode, uint64_t offset, uint64_t length, const char *path, const void *data,
                 uint64_t bytes) {
    uint64_t head[8] = {kind, inode, offset, length, strlen(path), bytes, 0, 0};
    struct iovec parts[3] = {{head, sizeof head}, {(void *)path, head[4]}, {(void *)data, bytes}};
    if (journal >= 0 && syscall(SYS_writev, journal, parts, 3) != (long)(sizeof head + head[4] + bytes)) die();
}

/* Gives the lock back. */
static long leave(struct verdict verdict, long result) {
    int error = errno;
    if (verdict.action == KILL_AFTER || verdict.action == KILL_MIDDLE) die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

static long fail(struct verdict verdict) {
    errno = verdict.argument;
    return leave(verdict, -1);
}

static int known(int file) {
    return active && file >= 0 && file < DESCRIPTORS && files[file].path;
}

static int open_at(int directory, const char *path, int flags, mode_t mode) {
    if (!watched(path) || directory != AT_FDCWD) return syscall(SYS_openat, directory, path, flags, mode);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    struct verdict verdict = {NONE, 0};
    if (writes) verdict = enter("open", path);
    else pthread_mutex_lock(&lock);
    if (verdict.action == ERROR) return fail(verdict);
    struct stat before, now;
    int existed = !stat(path, &before);
    int file = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (file >= 0 && file < DESCRIPTORS && !fstat(file, &now)) {
        free(files[file].path);
        files[file].path = strdup(path);
        files[file].inode = now.st_ino;
        files[file].directory = S_ISDIR(now.st_mode);
        if (!existed && S_ISREG(now.st_mode)) note(CREATE, now.st_ino, 0, 0, path, "", 0);
        else if (flags & O_TRUNC) note(TRUNCATE, now.st_ino, 0, 0, path, "", 0);
    }
    return leave(verdict, file);
}

#define MODE(flags) ({ mode_t mode = 0; if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); } mode; })
int open(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int openat(int dir, const char *path, int flags, ...) { return open_at(dir, path, flags, MODE(flags)); }
int openat64(int dir, const char *path, int flags, ...) { return open_at(dir, path, flags, MODE(flags)); }

int close(int file) {
    if (known(file)) {
        pthread_mutex_lock(&lock);
        free(files[file].path);
        files[file].path = NULL;
        pthread_mutex_unlock(&lock);
    }
    return syscall(SYS_close, file);
}

static ssize_t write_at(int file, const void *data, size_t length, off_t offset) {
    struct verdict verdict = enter("write", files[file].path);
    if (verdict.action == ERROR) return fail(verdict);
    if ((verdict.action == SHORT || verdict.action == KILL_MIDDLE) && length > 1) length /= 2;
    ssize_t done = syscall(SYS_pwrite64, file, data, length, offset);
    if (done > 0) note(WRITE, files[file].inode, offset, done, files[file].path, data, done);
    return leave(verdict, done);
}

ssize_t pwrite64(int file, const void *data, size_t length, off_t offset) {
    return known(file) ? write_at(file, data, length, offset) : syscall(SYS_pwrite64, file, data, length, offset);
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) { return pwrite64(file, data, length, offset); }

ssize_t write(int file, const void *data, size_t length) {
    if (!known(file)) return syscall(SYS_write, file, data, length);
    off_t offset = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = write_at(file, data, length, offset);
    if (done > 0) lseek(file, offset + done, SEEK_SET);
    return done;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (!known(file)) return syscall(SYS_writev, file, parts, count);
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len) return write(file, parts[i].iov_base, parts[i].iov_len);
    return 0;
}

static int sync_of(int file, long call) {
    struct verdict verdict = enter(files[file].directory ? "dirsync" : "sync", files[file].path);
    if (verdict.action == DROPPED) {
        note(DROP, files[file].inode, 0, 0, files[file].path, "", 0);
        errno = EIO;
        return leave(verdict, -1);
    }
    if (verdict.action == ERROR) return fail(verdict);
    if (verdict.action == KILL_MIDDLE) die();
    if (verdict.action == LIE) return leave(verdict, 0);
    int done = skip_sync ? 0 : syscall(call, file);
    if (!done) note(files[file].directory ? DIRSYNC : SYNC, files[file].inode, 0, 0, files[file].path, "", 0);
    return leave(verdict, done);
}

int fsync(int file) { return known(file) ? sync_of(file, SYS_fsync) : syscall(SYS_fsync, file); }
int fdatasync(int file) { return known(file) ? sync_of(file, SYS_fdatasync) : syscall(SYS_fdatasync, file); }

int ftruncate64(int file, off_t length) {
    if (!known(file)) return syscall(SYS_ftruncate, file, length);
    struct verdict verdict = enter("truncate", files[file].path);
    if (verdict.action == ERROR) return fail(verdict);
    int done = syscall(SYS_ftruncate, file, length);
    if (!done) note(TRUNCATE, files[file].inode, 0, length, files[file].path, "", 0);
    return leave(verdict, done);
}
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int fallocate64(int file, int mode, off_t offset, off_t length) {
    if (!known(file)) return syscall(SYS_fallocate, file, mode, offset, length);
    struct verdict verdict = enter("reserve", files[file].path);
    if (verdict.action == ERROR) return fail(verdict);
    int done = syscall(SYS_fallocate, file, mode, offset, length);
    if (!done) note(RESERVE, files[file].inode, offset, length, files[file].path, "", 0);
    return leave(verdict, done);
}
int fallocate(int file, int mode, off_t offset, off_t length) { return fallocate64(file, mode, offset, length); }
int posix_fallocate64(int file, off_t offset, off_t length) { return fallocate64(file, 0, offset, length) ? errno : 0; }
int posix_fallocate(int file, off_t offset, off_t length) { return fallocate64(file, 0, offset, length) ? errno : 0; }

int rename(const char *from, const char *to) {
    if (!watched(from) && !watched(to)) return syscall(SYS_rename, from, to);
    char both[2 * PATH_MAX];
    snprintf(both, sizeof both, "%s\n%s", from, to);
    struct verdict verdict = enter("rename", both);
    if (verdict.action == ERROR) return fail(verdict);
    int done = syscall(SYS_rename, from, to);
    if (!done) note(RENAME, 0, 0, 0, both, "", 0);
    return leave(verdict, done);
}
int renameat(int a, const char *from, int b, const char *to) {
    return a == AT_FDCWD && b == AT_FDCWD ? rename(from, to) : syscall(SYS_renameat, a, from, b, to);
}

int unlink(const char *path) {
    if (!watched(path)) return syscall(SYS_unlink, path);
    struct verdict verdict = enter("unlink", path);
    if (verdict.action == ERROR) return fail(verdict);
    int done = syscall(SYS_unlink, path);
    if (!done) note(UNLINK, 0, 0, 0, path, "", 0);
    return leave(verdict, done);
}

int mkdir(const char *path, mode_t mode) {
    if (!watched(path)) return syscall(SYS_mkdir, path, mode);
    struct verdict verdict = enter("mkdir", path);
    if (verdict.action == ERROR) return fail(verdict);
    return leave(verdict, syscall(SYS_mkdir, path, mode));
}
