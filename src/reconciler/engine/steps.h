/* Carrying out the steps that decide() answers: a table of what each one does.
 *
 * A step is one call to one worker, or one write of the journal, or a wait. When it is over, what it changed
 * is known, and decide() is asked again in the next turn. A new step is an enumerator in rules/decide.h and a
 * row in steps.c. */
#pragma once

#include "reconciler/model/instance.h"

extern const char *const reconciler_failpoints[];

const char *step_name(enum step step);
const char *step_words(enum step step); /* for people, while it is being done; NULL: nothing is shown */

void step_begin(struct replica *replica, enum step step);

/* What the rows' functions use: the call of the step, whose answer ends it. 'timeout' is in microseconds; 0:
 * none. */
void step_call(struct replica *replica, const char *socket, const struct varlink_interface *interface,
               const char *method, const void *in, uint64_t timeout);
/* Ends the step with the answer of its last call. */
void step_done(struct replica *replica, const void *out, const struct error *e);
