/* Turns Docker's refusals, with their statuses and messages, into errors with a class. */
#pragma once

#include "lib/basic/error.h"

/* Makes the error for a response with a status of 400 or more. Its text is the "message" of the body, or the
 * beginning of a body of another form. 'what' is the attempted act ("start container i8k_web_0"). Returns the
 * negative errno. */
int docker_refusal(const char *what, unsigned status, const char *body, size_t size, struct error *e);

/* Makes the error for a failure that a pull's progress reports: not found, failed or refused by its message,
 * or retry for every other failure, such as one of the network. Returns the negative errno. */
int docker_pull_failure(const char *message, struct error *e);

/* Sets the class of an error by its message in the same way. Docker refuses a pull with status 500 for many
 * reasons. */
void docker_pull_classify(struct error *e);
