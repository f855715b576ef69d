/* Formats what the tasks do, for the report to hostlet: a member that hostlet adds to the contract. Pure. */
#pragma once

#include <jansson.h>

#include "inagent/tasks.h"

/* Returns an array with an entry for each task of the specification, in its order, that takes at most 'room'
 * bytes: if there are too many, those that have run come before the others. Times are unix milliseconds. The
 * caller frees it. */
json_t *task_report(const struct plan *plan, size_t room);

/* Returns a number that is another one when something in the report has changed. */
uint64_t task_report_mark(const struct plan *plan);
