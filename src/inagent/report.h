/* Telling hostlet: what is sent when, and where to. */
#pragma once

#include "inagent/post.h"
#include "inagent/spec.h"
#include "inagent/stages.h"

struct report {
    struct stages stages;
    struct envelope envelope; /* of the last specification that could be read so far */
    int64_t replica_id;
    struct post post;
    bool failing;       /* and it was said */
    uint64_t next;      /* not before; CLOCK_MONOTONIC, microseconds */
    uint64_t last_good; /* 0: none yet */
};

#define REPORT_INIT                                                                                          \
    {                                                                                                        \
        .stages = STAGES_INIT, .post = POST_INIT                                                             \
    }

/* A specification was read ('problem' NULL), or could not be used: what of it is known, and why not.
 * 'envelope' is emptied. */
void report_loaded(struct report *report, struct envelope *envelope, const char *problem);

/* Takes the states of the tasks, and goes on with sending: when something changed, when 30 s have passed
 * since the last success, and 10 s after a failure. Without an endpoint it does nothing. */
void report_round(struct report *report, const struct plan *plan, uint64_t now);

/* For poll(): the descriptor (−1: none) with its events, and when report_round() is due at the latest. */
int report_fd(const struct report *report, short *ret_events);
uint64_t report_wakeup(const struct report *report);

void report_end(struct report *report);
