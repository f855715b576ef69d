/* Runs the unpacker's jobs in threads: unpacking a package, removing one, removing orphans. */
#pragma once

#include "lib/loop/work.h"
#include "unpacker/extract.h"

enum job_kind { JOB_UNPACK, JOB_REMOVE, JOB_CLEAN };

/* What a job does; borrowed until the job is freed. Name and id are NULL for JOB_CLEAN. package_fd and
 * checksum (or NULL) are for JOB_UNPACK only. */
struct job_request {
    enum job_kind kind;
    int store, staging, package_fd;
    char *name, *id, *checksum;
    struct package_limits limits;
    unsigned threads;
};

struct job;

/* Starts a job. The loop calls 'on_done' once, which may free the job. */
struct job *job_start(struct workers *workers, const struct job_request *request,
                      void (*on_done)(struct job *job, void *userdata), void *userdata);

/* Makes an extraction end soon with −ECANCELED. Has no effect on removals. */
void job_cancel(struct job *job);

const struct extract_progress *job_progress(const struct job *job);

/* Return, after the job has ended: 0 or a negative errno with *e set; the result of an extraction (borrowed);
 * the number of removed directories. */
int job_result(const struct job *job, struct error *e);
const struct extract_result *job_extracted(const struct job *job);
unsigned job_removed(const struct job *job);

/* Frees a job that has ended or whose workers were waited for. 'job' may be NULL. */
void job_free(struct job *job);
