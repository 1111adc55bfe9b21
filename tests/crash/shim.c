/*
 * Records what a program does to one file, in the order in which it does it, so that every state that a power cut
 * could have left of that file can be rebuilt afterwards.
 *
 * Preloaded (LD_PRELOAD) into a program that writes the file CRASH_TARGET from one thread. Each record goes to the file
 * CRASH_TRACE as it happens:
 *
 *     op (1 byte)  synchronous (1 byte)  offset (8)  length (8)  data (length bytes)          integers little-endian
 *
 *     W  these bytes were written at this offset; 'synchronous': the write itself waited for the disk (O_DSYNC, O_SYNC)
 *     S  the file was synchronised: all that was written before is durable
 *     T  the file was cut or extended to `offset` bytes
 *     D  a directory above the file was synchronised; data is its path
 *     X  the file can be written through a map, which this recorder does not see: the recording is of no use
 *     A  the program says that step `offset` is acknowledged (acknowledge(), which it calls by its name)
 *
 * A record is made when its call has returned. What failed changed nothing and is not recorded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "the recorder is for systems with 64-bit offsets");

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum file { OTHER, TARGET, ABOVE };

static int trace = -1;
static const char *target;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CRASH_TRACE");
    target = getenv("CRASH_TARGET");
    if (path && target)
        trace = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

/* A recording with a hole would pass for a better disk than there was: stop rather than leave one. */
static void put(const void *data, size_t length)
{
    while (length > 0) {
        ssize_t done = REAL(write)(trace, data, length);
        if (done <= 0)
            abort();
        data = (const char *)data + done;
        length -= (size_t)done;
    }
}

static void record(char op, int synchronous, uint64_t offset, const void *data, uint64_t length)
{
    char head[18] = {op, (char)synchronous};
    if (trace < 0)
        return;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 8);
    put(head, sizeof head);
    put(data, length);
}

/* Which file a descriptor is; `path` is filled where it is a directory above the target. */
static enum file file_of(int fd, char *path, size_t size)
{
    char link[32];
    ssize_t length;
    if (trace < 0)
        return OTHER;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, size - 1);
    if (length <= 0)
        return OTHER;
    path[length] = 0;
    if (strcmp(path, target) == 0)
        return TARGET;
    return strncmp(path, target, (size_t)length) == 0 && target[length] == '/' ? ABOVE : OTHER;
}

static int is_target(int fd)
{
    char path[4096];
    return file_of(fd, path, sizeof path) == TARGET;
}

static int is_synchronous(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; /* O_SYNC includes this bit */
}

static void wrote(int fd, const void *data, ssize_t done, off_t offset)
{
    if (done > 0)
        record('W', is_synchronous(fd), (uint64_t)offset, data, (uint64_t)done);
}

/* Each piece is a record of its own, since each may reach the disk without the others. */
static void wrote_pieces(int fd, const struct iovec *pieces, int count, ssize_t done, off_t offset)
{
    for (int i = 0; i < count && done > 0; i++) {
        ssize_t length = (ssize_t)pieces[i].iov_len < done ? (ssize_t)pieces[i].iov_len : done;
        wrote(fd, pieces[i].iov_base, length, offset);
        offset += length;
        done -= length;
    }
}

void acknowledge(uint64_t step)
{
    record('A', 0, step, NULL, 0);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    ssize_t done = REAL(pwrite)(fd, data, length, offset);
    if (is_target(fd))
        wrote(fd, data, done, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
    return pwrite(fd, data, length, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    ssize_t done = REAL(pwritev)(fd, pieces, count, offset);
    if (is_target(fd))
        wrote_pieces(fd, pieces, count, done, offset);
    return done;
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return pwritev(fd, pieces, count, offset);
}

ssize_t write(int fd, const void *data, size_t length)
{
    int ours = is_target(fd);
    off_t offset = ours ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = REAL(write)(fd, data, length);
    if (ours)
        wrote(fd, data, done, offset);
    return done;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    int ours = is_target(fd);
    off_t offset = ours ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = REAL(writev)(fd, pieces, count);
    if (ours)
        wrote_pieces(fd, pieces, count, done, offset);
    return done;
}

static void synchronised(int fd)
{
    char path[4096];
    switch (file_of(fd, path, sizeof path)) {
    case TARGET:
        record('S', 0, 0, NULL, 0);
        break;
    case ABOVE:
        record('D', 0, 0, path, strlen(path));
        break;
    case OTHER:
        break;
    }
}

int fsync(int fd)
{
    int failed = REAL(fsync)(fd);
    if (!failed)
        synchronised(fd);
    return failed;
}

int fdatasync(int fd)
{
    int failed = REAL(fdatasync)(fd);
    if (!failed)
        synchronised(fd);
    return failed;
}

int ftruncate(int fd, off_t length)
{
    int failed = REAL(ftruncate)(fd, length);
    if (!failed && is_target(fd))
        record('T', 0, (uint64_t)length, NULL, 0);
    return failed;
}

int ftruncate64(int fd, off_t length)
{
    return ftruncate(fd, length);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_SHARED) && is_target(fd))
        record('X', 0, 0, NULL, 0);
    return REAL(mmap)(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap(address, length, protection, flags, fd, offset);
}
