/* Shows the progress of a deploy: a line for each stage that ended, and on a terminal a bar for each replica
 * below the lines. The bars are cut to the width of the terminal, and to its height: the last line is the
 * number of the other replicas then. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/loop/timer.h"

struct progress;

/* Returns a new display of one revision. Stages of other revisions, and stages that ended before 'begun_msec'
 * (unix milliseconds), are not shown. */
struct progress *progress_new(int64_t revision, int64_t begun_msec);
/* Stores the first state that is received after the request; later calls do nothing. */
void progress_begin(struct progress *p, const struct reconciler_instance *instance);
/* Reports whether a stage ended before the request: by the wall clock, which is compared only for the first
 * state. A later change of the stage belongs to the request, whatever the clock shows then. */
bool progress_is_old(const struct progress *p, int64_t replica, const struct app_stage *stage);
/* Draws the bars again when the size of the terminal changes. Returns 0 or a negative errno. */
int progress_watch(struct progress *p, sd_event *event);
/* Prints the stages that ended since the last call, and draws the bars again. */
void progress_show(struct progress *p, const struct reconciler_instance *instance);
/* Erases the bars. */
void progress_clear(struct progress *p);
struct progress *progress_free(struct progress *p);
