/* Prepares a revision: resolves its image and packages and brings them to this machine, while the old
 * revision runs and without a change that its containers can see. A failure is retried with backoff. */
#pragma once

#include "reconciler/model/instance.h"

bool prepare_is_done(struct instance *instance, int64_t revision);
/* Returns for how many microseconds a replica that is down still waits for the preparation, rather than start
 * its applied revision; 0: it takes long, has failed, or is done. */
uint64_t prepare_patience(struct instance *instance, int64_t revision);
/* Begins the preparation, if none is in progress, waiting or done. When it ends, all replicas are kicked. */
void prepare_start(struct instance *instance, int64_t revision);
/* Resets a preparation that is done, since image or packages may have been removed: it is repeated before the
 * next container is created. */
void prepare_redo(struct instance *instance, int64_t revision);
/* Cancels and frees the preparation, since the revision is removed or has another image or packages. */
void prepare_drop(struct instance *instance, int64_t revision);
/* Does so for a preparation that no replica needs any more, and shows the stages in progress as pending. The
 * workers end the call in flight (a pull, a fetch, an unpacking) when its connection closes. */
void prepare_cancel(struct instance *instance, int64_t revision);
/* Retries the preparations that wait after a failure at once. */
void prepare_forget_failures(struct instance *instance);

/* For the parts of the preparation: continue with what is missing; end the attempt, which is retried with
 * backoff; continue after a pause, which does not count as a failure. */
void prepare_next(struct prepare *p);
void prepare_failed(struct prepare *p, enum app_stage_name stage, const struct error *e);
void prepare_pause(struct prepare *p, uint64_t usec);
