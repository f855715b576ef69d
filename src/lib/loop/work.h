/* Work in threads, so that the loop answers while a disk, a parser or a name server is slow.
 *
 * Workers do at most one work of a key (a container) at a time, those of one key in the order in which they
 * came. Threads exist only while there is work. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* The first member of the struct that holds what the work needs and what comes out of it. */
struct work {
    const char *key; /* borrowed until done; NULL: no other work is in its way */
    void (*run)(
        struct work *work); /* in a thread: touches what belongs to the work alone, and does not log */
    void (*done)(struct work *work); /* in the loop, once; may free the work */
    void (*drop)(
        struct work *work); /* in place of 'done', in any thread, when the workers went; NULL: nothing */
    struct work *next;      /* private */
};

enum workers_kind {
    WORKERS_PROMPT,     /* where no thread can be had, the loop does the work: slow is better than never */
    WORKERS_PATIENT,    /* the work waits until a thread can be had */
    WORKERS_BACKGROUND, /* the same, with threads of the least share of the processor (nice 19), which get the
                           disk when nobody else wants it: for what takes long and nobody waits for */
};

struct workers;

int workers_new(sd_event *event, unsigned threads_max, enum workers_kind kind, struct workers **ret,
                struct error *e);
void workers_add(struct workers *workers, struct work *work);
/* Tells whether any work is not done. */
bool workers_busy(const struct workers *workers);
/* Waits until no thread works any more. No 'done' is called from here on: what has not begun is forgotten,
 * and the owners free their works. */
void workers_wait(struct workers *workers);
/* Does not wait: a thread that still works goes on, and what it leaves is dropped. At the end of the process
 * it ends with it: what it does survives a kill at any time. The last 'done' may call it. NULL is fine. */
void workers_free(struct workers *workers);
