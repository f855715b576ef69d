/* Reads {home}/.innerstack/task_request.json. */
#pragma once

#include "inagent/request.h"
#include "inagent/watch.h"

/* Reads the file if it differs from what *seen says, which is updated. Returns 1 if it contains another
 * request than the last, 0 if not, or a negative errno with the reason. */
int request_file_read(struct request_file *file, const struct watch *watch, struct watch_file *seen,
                      struct error *e);
