/* Decides when the next report is sent. Pure: times are CLOCK_MONOTONIC in microseconds.
 *
 * In a zone a report is sent 30 s after the last one, as the contract says. Without a zone nobody needs that,
 * and a machine where nothing happens shall sleep: a report is sent once more 30 s after a change, in case
 * that the one before was lost with the reconciler's memory, and then every hour. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct report_time {
    bool local;  /* the endpoint is a Unix socket: without a zone */
    bool urgent; /* something changed that is reported now, also before the pause after a failure ends */
    /* Such a change was in no report that succeeded: the pauses stay short, since a deploy waits for it. */
    bool pressing;
    bool changed;        /* something of the stages: reported at once */
    bool status_changed; /* the application's status alone: reported with the next one, or 2 s later */
    bool tasks_changed;  /* something of the tasks alone: the same, 10 s later */
    bool again;          /* the last report had a change */
    unsigned failures;   /* in a row */
    uint64_t next;       /* after a failure: earliest time of the next attempt */
    uint64_t last_good;  /* time of the last success; 0: none yet */
};

/* Returns when the next report is due. */
uint64_t report_time_due(const struct report_time *t);
/* Records that a report begins, which has all changes up to now. */
void report_time_begun(struct report_time *t);
void report_time_succeeded(struct report_time *t, uint64_t now);
/* Returns the pause before the next attempt: a second, doubled by each failure up to some minutes (to 8 s
 * while it presses), and changed at random by up to a quarter. */
uint64_t report_time_failed(struct report_time *t, uint64_t now);
/* Forgets failures, since the endpoint is another one, and makes a report due. */
void report_time_renewed(struct report_time *t, bool local);
