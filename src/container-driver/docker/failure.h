/* What Docker's refusals mean: statuses and messages as classes of errors. */
#pragma once

#include "lib/basic/error.h"

/* An answer with a status of 400 and more: its body's "message", or the body's beginning where it is no such
 * JSON. 'what' says what was tried ("start container i8k_web_0"). Returns a negative errno. */
int docker_refusal(const char *what, unsigned status, const char *body, size_t size, struct error *e);

/* What a pull's progress says went wrong: not there, not allowed (failed for good), or the way to the
 * registry (retry). */
int docker_pull_failure(const char *message, struct error *e);

/* The same for an error that has its words already: gives it its class by them. Docker refuses a pull with
 * status 500 for all sorts of reasons. */
void docker_pull_classify(struct error *e);
