/* Runs work in threads, so that the event loop stays responsive while a disk, a parser or a name server is
 * slow.
 *
 * At most one work per key (such as a container) runs at a time. Works with the same key run in the order in
 * which they were added. Threads exist only while there is work. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* The first member of the struct that contains the input and the result of the work. */
struct work {
    /* Borrowed until 'done' or 'drop'. NULL: the work waits for no other work. */
    const char *key;
    /* Runs in a thread. It uses only what belongs to the work, and it does not log. */
    void (*run)(struct work *work);
    /* Runs in the loop, once. It may free the work. */
    void (*done)(struct work *work);
    /* Runs in any thread in place of 'done', if the workers were freed before. NULL: nothing is called. */
    void (*drop)(struct work *work);
    struct work *next; /* private */
};

enum workers_kind {
    /* If no thread can be created, the loop runs the work itself. */
    WORKERS_PROMPT,
    /* The work waits until a thread can be created. */
    WORKERS_PATIENT,
    /* As WORKERS_PATIENT, with threads of the lowest CPU priority (nice 19) and the idle class of the disk.
     * It suits long work whose result is not urgent. */
    WORKERS_BACKGROUND,
};

struct workers;

/* Creates workers with at most 'threads_max' threads, whose 'done' functions run in 'event'. Returns 0 or a
 * negative errno. */
int workers_new(sd_event *event, unsigned threads_max, enum workers_kind kind, struct workers **ret,
                struct error *e);
/* Adds a work, which must stay in memory until its 'done' or 'drop' is called. */
void workers_add(struct workers *workers, struct work *work);
/* Reports whether any added work is not done. */
bool workers_busy(const struct workers *workers);
/* Waits until no thread runs. 'done' and 'drop' are not called any more: works that have not begun are
 * removed from the queue, and the callers free all of them. */
void workers_wait(struct workers *workers);
/* Drops the works that wait or have finished, and returns without waiting. A thread that still runs a work
 * drops that work at its end, and the last thread frees the struct. The exit of the process ends such a
 * thread at any point, so a work must tolerate being killed. The last 'done' may call this function.
 * 'workers' may be NULL. */
void workers_free(struct workers *workers);
