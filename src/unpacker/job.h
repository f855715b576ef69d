/* One piece of blocking work in a thread of its own, whose end is an event of the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "unpacker/extract.h"

enum job_kind { JOB_UNPACK, JOB_REMOVE, JOB_CLEAN };

/* Borrowed until the job is freed. Name and id are NULL for JOB_CLEAN, package_fd and checksum (or NULL) are
 * for JOB_UNPACK alone. */
struct job_request {
    enum job_kind kind;
    int store, staging, package_fd;
    char *name, *id, *checksum;
    struct package_limits limits;
    unsigned threads;
};

struct job;

/* 'on_done' is called from the loop, once; it may free the job. */
int job_start(sd_event *event, const struct job_request *request,
              void (*on_done)(struct job *job, void *userdata), void *userdata, struct job **ret,
              struct error *e);

/* Asks an extraction to end soon (−ECANCELED). Removals go on. */
void job_cancel(struct job *job);

const struct extract_progress *job_progress(const struct job *job);

/* After the end: 0 or a negative errno with *e filled; what was unpacked; how many leftovers were removed. */
int job_result(const struct job *job, struct error *e);
const struct extract_result *job_extracted(const struct job *job);
unsigned job_removed(const struct job *job);

/* Waits for the thread when it still runs. */
void job_free(struct job *job);
