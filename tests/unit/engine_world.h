/* Simulates the world around the reconciler's engine: a clock, a runtime with one replica's containers, and
 * the other workers. It uses no event loop, disk or process, so that simulated minutes take milliseconds. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/model/instance.h"
#include "simulated_clock.h"

#define PROBATION_MSEC  10000
#define BROKEN_REVISION 2 /* its containers exit soon after their start */

struct request;

struct world {
    struct outside outside; /* first */
    struct simulated_clock clock;
    struct driver_container slots[2]; /* the containers of the fake runtime */
    struct request *watch;
    struct timer end_of_life, restart;
    char *trace; /* the called methods that change something */
    char *saved; /* the record as written last */
    unsigned saves, notices;
    const char *lost;    /* a method whose next call has its effect and gets no reply */
    const char *failing; /* a method whose calls have no effect and fail */
    const char *ignored; /* a method whose calls have no effect and succeed */
};

struct fixture {
    struct world world;
    struct manager manager;
    struct instance *instance;
    struct replica *replica;
};

/* Set up and tear down the manager of one instance, web, with one replica; for cmocka. */
int engine_begin(void **state);
int engine_end(void **state);

/* Advances the time until the replica is settled; fails the test if that never happens. */
void run_until_settled(struct fixture *f);
/* Requests the first revision, or another one, and advances the time until the replica is settled. */
void deploy(struct fixture *f);
void update(struct fixture *f, int64_t revision);
/* Lets the container exit with code 3. With the policy "always" the runtime starts it again 0.1 s later. */
void crash(struct fixture *f);
/* Advances the time until the new container runs and is on probation. */
void run_until_probation(struct fixture *f);
/* Sends the event of a change that another program made to the current container in 'slots'. */
void changed_by_hand(struct fixture *f);
/* Ends the reconciler and starts another one, which has only the record and what the runtime shows. */
void restart_reconciler(struct fixture *f);
/* Sends an event of the current container, as the runtime does after a change; its exit code is 3. */
void send_event(struct world *w, const char *action);
/* Returns the methods that were called since the last time. The caller frees it. */
char *take_trace(struct fixture *f);
