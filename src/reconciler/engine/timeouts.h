/* Defines how long the engine waits for a worker's next reply, in microseconds. A reply with progress
 * restarts the time. After a timeout the call has failed and is retried. */
#pragma once

#include "lib/basic/util.h"

#define CALL_TIMEOUT     (60 * USEC_PER_SEC)  /* calls without a timeout of their own */
#define START_TIMEOUT    (120 * USEC_PER_SEC) /* Start: a slow disk makes the runtime slow */
#define TAIL_TIMEOUT     (10 * USEC_PER_SEC)  /* Tail: the message is shown without the lines then */
#define QUESTION_TIMEOUT (10 * USEC_PER_SEC)  /* calls whose result a caller waits for */
#define NETWORK_TIMEOUT  (20 * USEC_PER_SEC)  /* SetNetwork: rpc-gateway waits for 30 s */
#define RESOLVE_TIMEOUT  (300 * USEC_PER_SEC) /* Resolve: reads the indexes of all repositories */
#define PACKAGE_TIMEOUT  (600 * USEC_PER_SEC) /* Fetch, Unpack, Publish: one package */
#define PULL_TIMEOUT     (900 * USEC_PER_SEC) /* ImagePull */
