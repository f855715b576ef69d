/* All that model and engine have to do with the world outside of them: the clock, timers, files, and calls to
 * workers. They know neither an event loop nor the disk, so that a test runs them with functions of its own,
 * in simulated time: tests/unit/test_engine.c. reconciler/outside.c has those of the process. */
#pragma once

#include "lib/loop/clock.h"
#include "lib/varlink/client.h"

struct outside {
    struct clock *clock;

    /* Files are given by their paths. A write is durable when it returns 0, and −EFBIG where the text is
     * larger than 'max'; a file that was there is replaced as a whole. */
    int (*read)(struct outside *outside, const char *path, size_t max, char **ret, size_t *ret_size,
                struct error *e);
    int (*write)(struct outside *outside, const char *path, size_t max, const char *text, size_t size,
                 struct error *e);
    /* Durably as well; what cannot be removed is logged. A file that is not there is fine. */
    void (*remove)(struct outside *outside, const char *path);
    int (*keep_aside)(struct outside *outside, const char *path, struct error *e);
    /* Makes the directory where there is none. */
    int (*make_directory)(struct outside *outside, const char *path, struct error *e);
    /* Calls 'each' for each file of the directory whose name ends in ".json". */
    int (*list)(struct outside *outside, const char *path, void (*each)(void *userdata, const char *name),
                void *userdata, struct error *e);

    /* Do what the functions of lib/varlink/client.h do. */
    struct varlink_request *(*call)(struct outside *outside, const struct varlink_call_options *options,
                                    varlink_answer_fn on_answer, void *userdata);
    void (*cancel)(struct outside *outside, struct varlink_request *request);
};

/* The machine's time. */
int64_t outside_now_msec(struct outside *outside);        /* unix */
uint64_t outside_monotonic_usec(struct outside *outside); /* CLOCK_MONOTONIC */
