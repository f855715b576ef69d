/* How long the engine waits for a worker's next answer, in microseconds. What is over by then is tried again.
 * A progress that is told counts as an answer. */
#pragma once

#include "lib/basic/util.h"

#define CALL_TIMEOUT     (60 * USEC_PER_SEC)  /* of all that have none of their own */
#define START_TIMEOUT    (120 * USEC_PER_SEC) /* Start: a slow disk makes the runtime slow */
#define TAIL_TIMEOUT     (10 * USEC_PER_SEC)  /* Tail: what is shown goes on without it */
#define QUESTION_TIMEOUT (10 * USEC_PER_SEC)  /* what a caller of ours waits for */
#define RESOLVE_TIMEOUT  (300 * USEC_PER_SEC) /* Resolve: the indexes of all repositories */
#define PACKAGE_TIMEOUT  (600 * USEC_PER_SEC) /* Fetch, Unpack, Publish: of one package */
#define PULL_TIMEOUT     (900 * USEC_PER_SEC) /* ImagePull */
