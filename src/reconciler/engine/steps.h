/* Executes the steps that decide() returns, by a table of what each one does.
 *
 * A step is a call to a worker, a write of the journal, or a wait. When it has ended, the replica is updated
 * by its effect, and the next turn calls decide() again. A new step is an enumerator in rules/decide.h and a
 * row in steps.c. */
#pragma once

#include "reconciler/model/instance.h"

extern const char *const reconciler_failpoints[]; /* names, NULL at the end */

const char *step_name(enum step step);  /* for the log */
const char *step_words(enum step step); /* for people, while it is in progress; NULL: not shown */

/* Begins a step of a replica that has no call in progress. */
void step_begin(struct replica *replica, enum step step);

/* Makes the call of the step in progress; its last reply ends the step. For the functions in the table.
 * 'timeout' is in microseconds; 0: none. */
void step_call(struct replica *replica, const char *socket, const struct varlink_interface *interface,
               const char *method, const void *in, uint64_t timeout);
/* Ends the step with the reply of its last call: 'out', or 'e' after a failure. */
void step_done(struct replica *replica, const void *out, const struct error *e);
