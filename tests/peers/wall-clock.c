/* Sets the wall clock of the processes that preload it: a library for LD_PRELOAD. The file that the variable
 * HOSTLET_WALL_CLOCK names has one int64_t, the microseconds by which their clock differs from the machine's,
 * and a test can change it at any time. The file is mapped when a process starts, so that it is not opened
 * again in a jail. Other clocks and the times of files are the machine's. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define USEC_PER_SEC 1000000

static const volatile int64_t *shift;

static __attribute__((constructor)) void begin(void)
{
    const char *path = getenv("HOSTLET_WALL_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        abort();
    shift = at;
    close(fd);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int r = (int)syscall(SYS_clock_gettime, clock, ret);
    if (r < 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return r;
    int64_t usec = (int64_t)ret->tv_sec * USEC_PER_SEC + ret->tv_nsec / 1000 + *shift;
    ret->tv_sec = usec / USEC_PER_SEC;
    ret->tv_nsec = usec % USEC_PER_SEC * 1000;
    return 0;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec ts;
    (void)zone;
    int r = clock_gettime(CLOCK_REALTIME, &ts);
    if (r == 0)
        *ret = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return r;
}

__attribute__((visibility("default"))) time_t time(time_t *ret)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (ret)
        *ret = ts.tv_sec;
    return ts.tv_sec;
}
