/* One piece of work in a thread, with an end that the loop hears of. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct job;

/* 'work' runs in a thread; then 'done' runs on the loop, unless the job was abandoned; then 'release' frees
 * 'data' (on the loop, in every case). */
struct job_calls {
    void (*work)(void *data);
    void (*done)(void *data, void *userdata);
    void (*release)(void *data);
};

/* Takes 'data' only on success. */
int job_start(sd_event *event, const struct job_calls *calls, void *data, void *userdata, struct job **ret,
              struct error *e);

/* The loop is no longer interested: 'done' is not called. The thread finishes in its own time. NULL is fine.
 */
void job_abandon(struct job *job);
