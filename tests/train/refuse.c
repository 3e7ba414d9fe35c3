/* Preloaded into a process, it has one call refused that would change something below a folder: the n-th. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[PATH_MAX];
static long left; /* calls until the one that is refused */
static int reason;
static char told[PATH_MAX + 32];

/* Refuse call number n, from now on and below `under`, with the error number `why`; n = 0 refuses none. */
void refuse(const char *under, long n, int why) {
    snprintf(folder, sizeof folder, "%s/", under);
    left = n;
    reason = why;
    told[0] = 0;
}

/* The call that was refused, or nothing. */
const char *refused(void) { return told; }

static int denied(const char *call, int at, const char *path) {
    char base[PATH_MAX] = "", link[64], whole[2 * PATH_MAX];
    if (!folder[0] || (path && path[0] == '/' && strncmp(path, folder, strlen(folder))))
        return 0;
    if (!path || path[0] != '/') {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t size = at == AT_FDCWD ? 0 : readlink(link, base, sizeof base - 1);
        if (size <= 0)
            return 0;
        base[size] = 0;
    }
    snprintf(whole, sizeof whole, "%s%s%s", base, base[0] && path ? "/" : "", path ? path : "");
    if (strncmp(whole, folder, strlen(folder)) || left <= 0 || --left)
        return 0;
    snprintf(told, sizeof told, "%s %s", call, whole + strlen(folder));
    errno = reason;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGE(type, name, at, path, given, passed)                                                                    \
    type name given { return denied(#name, at, path) ? -1 : NEXT(name) passed; }
#define OPEN(name, at, given, passed)                                                                                  \
    int name given {                                                                                                   \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;                                              \
        va_end(rest);                                                                                                  \
        return flags & (O_CREAT | O_WRONLY | O_RDWR) && denied(#name, at, path) ? -1 : NEXT(name) passed;              \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, at, (int at, const char *path, int flags, ...), (at, path, flags, mode))
CHANGE(ssize_t, write, fd, 0, (int fd, const void *from, size_t size), (fd, from, size))
CHANGE(ssize_t, pwrite64, fd, 0, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
CHANGE(int, fsync, fd, 0, (int fd), (fd))
CHANGE(int, fdatasync, fd, 0, (int fd), (fd))
CHANGE(int, ftruncate64, fd, 0, (int fd, off64_t size), (fd, size))
CHANGE(int, rename, AT_FDCWD, path, (const char *path, const char *to), (path, to))
int mkdir(const char *path, mode_t mode) {
    return access(path, F_OK) && denied("mkdir", AT_FDCWD, path) ? -1 : NEXT(mkdir)(path, mode);
}
CHANGE(int, unlink, AT_FDCWD, path, (const char *path), (path))
CHANGE(int, unlinkat, at, path, (int at, const char *path, int flags), (at, path, flags))
CHANGE(int, rmdir, AT_FDCWD, path, (const char *path), (path))
