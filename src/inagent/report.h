/* Reports to hostlet: decides what is sent when, and to which endpoint. */
#pragma once

#include "inagent/notify_state.h"
#include "inagent/post.h"
#include "inagent/report_time.h"
#include "inagent/spec.h"
#include "inagent/stages.h"
#include "inagent/task_report.h"

struct report {
    struct stages stages;
    struct application application;
    struct envelope envelope; /* of the last specification that could be read */
    int64_t replica_id;
    struct post post;
    struct report_time time;
    const struct request_file *request; /* the last request to run a task; borrowed */
};

#define REPORT_INIT                                                                                          \
    {                                                                                                        \
        .stages = STAGES_INIT, .post = POST_INIT                                                             \
    }

/* Records that a specification was read ('problem' NULL) or could not be used: 'envelope' is what is known
 * about it, 'problem' the reason. Empties 'envelope'. */
void report_loaded(struct report *report, struct envelope *envelope, const char *problem);

/* Determines whose reports they are. */
void report_identify(struct report *report);

/* Copies what the application has reported. A change is reported at once, that of the status alone at most
 * every two seconds. 'begun' is the time of inagent's start (CLOCK_MONOTONIC, microseconds). */
void report_application(struct report *report, const struct notify_state *state, uint64_t begun);

/* Notes that a run began or ended. What was requested is reported at once. */
void report_task(struct report *report, const struct task *task);
/* Notes that a request to run a task was decided; NULL: for a task that does not exist. A refusal is reported
 * at once, and the run, if there is one, when it begins. */
void report_request(struct report *report, const struct task *task);

/* Copies the states of the tasks and continues the request in progress. If there is none, it starts a request
 * when one is due (report_time.h). The states are not copied while the current specification is unusable and
 * has another revision than the tasks that run. Without an endpoint it does nothing. */
void report_round(struct report *report, const struct plan *plan, uint64_t now);

/* For poll(): return the descriptor (−1: none) with its events, and the time by which report_round() must
 * be called. */
int report_fd(const struct report *report, short *ret_events);
uint64_t report_wakeup(const struct report *report);

void report_end(struct report *report);
