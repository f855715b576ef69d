/* How a deploy goes on, for people: a line for each stage that ended, and on a terminal a bar for each
 * replica below them. */
#pragma once

#include "lib/api/reconciler.h"

struct progress;

/* Stages of another revision, and those that ended before 'begun_msec' (unix time), are no news. */
struct progress *progress_new(int64_t revision, int64_t begun_msec);
/* Shows what is new in this state of the instance. */
void progress_show(struct progress *p, const struct reconciler_instance *instance);
/* Takes the bars away. */
void progress_clear(struct progress *p);
struct progress *progress_free(struct progress *p);
