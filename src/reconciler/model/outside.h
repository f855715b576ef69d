/* Declares the functions by which model and engine reach the clock, timers, files and workers.
 *
 * Model and engine use neither an event loop nor the disk, so that a test runs them in simulated time with
 * functions of its own: tests/unit/test_engine.c. reconciler/outside.c has the functions of the process. */
#pragma once

#include "lib/loop/clock.h"
#include "lib/varlink/client.h"

struct outside {
    struct clock *clock;

    /* Reads a file of at most 'max' bytes. The caller frees '*ret', which ends in a NUL byte. */
    int (*read)(struct outside *outside, const char *path, size_t max, char **ret, size_t *ret_size,
                struct error *e);
    /* Writes a file, or replaces it as a whole. The file is on disk when the function returns 0. Returns
     * −EFBIG if 'size' is larger than 'max'. */
    int (*write)(struct outside *outside, const char *path, size_t max, const char *text, size_t size,
                 struct error *e);
    /* Removes a file and syncs its directory. A failure is logged; a missing file is none. */
    void (*remove)(struct outside *outside, const char *path);
    /* Keeps a file that cannot be read as PATH.unreadable; see keep_aside() in lib/basic/fs.h. */
    int (*keep_aside)(struct outside *outside, const char *path, struct error *e);
    /* Makes the directory if it does not exist. */
    int (*make_directory)(struct outside *outside, const char *path, struct error *e);
    /* Calls 'each' for each file of the directory whose name ends in ".json", and removes the rests of
     * interrupted writes. */
    int (*list)(struct outside *outside, const char *path, void (*each)(void *userdata, const char *name),
                void *userdata, struct error *e);

    /* Do what the functions of lib/varlink/client.h do. */
    struct varlink_request *(*call)(struct outside *outside, const struct varlink_call_options *options,
                                    varlink_answer_fn on_answer, void *userdata);
    void (*cancel)(struct outside *outside, struct varlink_request *request);
};

/* Return the time of the clock: unix milliseconds, and microseconds of CLOCK_MONOTONIC. */
int64_t outside_now_msec(struct outside *outside);
uint64_t outside_monotonic_usec(struct outside *outside);
/* Returns a time of CLOCK_MONOTONIC as unix milliseconds, for showing; 0 for 0. See clock_due_msec(). */
int64_t outside_due_msec(struct outside *outside, uint64_t at);
