/* Work in threads, so that the loop answers while a disk is slow: at most one job of a key (a container) at a
 * time, those of one key in the order in which they came. Threads exist only while there is work. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct job {
    const char *key;               /* borrowed until done; NULL: no other job is in its way */
    void (*work)(struct job *job); /* in a thread: touches what belongs to the job alone, and does not log */
    void (*done)(struct job *job); /* in the loop; may free the job */
    struct job *next;              /* private */
};

struct jobs;

int jobs_new(sd_event *event, unsigned threads_max, struct jobs **ret, struct error *e);
/* The same with threads that give way: the least share of the processor (nice 19), and the disk when nobody
 * else wants it. For work that nobody must wait behind and that may take long, such as deletions: a set of
 * its own, beside the one that answers callers. Its jobs never run in the loop: where no thread can be had,
 * they wait for one. */
int jobs_new_background(sd_event *event, unsigned threads_max, struct jobs **ret, struct error *e);
void jobs_add(struct jobs *jobs, struct job *job);
/* Whether any job is not done. */
bool jobs_busy(const struct jobs *jobs);
/* At the end of the process. Threads that still work end with it: what they do survives a kill at any time,
 * and so the end of a process too. */
void jobs_free(struct jobs *jobs);
