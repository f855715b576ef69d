/* Formats what the tasks do, for the report to hostlet: a member that hostlet adds to the contract. Pure. */
#pragma once

#include <jansson.h>

#include "inagent/request.h"

/* Returns an array with an entry for each task of the specification, in its order, that takes at most 'room'
 * bytes: if there are too many, those that have run or were requested come before the others. A request for a
 * task that inagent does not have ('request'; NULL: none) is an entry, too. Times are unix milliseconds. The
 * caller frees it. */
json_t *task_report(const struct plan *plan, const struct request_file *request, size_t room);
