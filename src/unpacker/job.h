/* What the unpacker does in threads: unpacking a package, removing one, removing leftovers. */
#pragma once

#include "lib/loop/work.h"
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
struct job *job_start(struct workers *workers, const struct job_request *request,
                      void (*on_done)(struct job *job, void *userdata), void *userdata);

/* Asks an extraction to end soon (−ECANCELED). Removals go on. */
void job_cancel(struct job *job);

const struct extract_progress *job_progress(const struct job *job);

/* After the end: 0 or a negative errno with *e filled; what was unpacked; how many leftovers were removed. */
int job_result(const struct job *job, struct error *e);
const struct extract_result *job_extracted(const struct job *job);
unsigned job_removed(const struct job *job);

/* Frees a job that has ended, or whose workers were waited for. NULL is fine. */
void job_free(struct job *job);
