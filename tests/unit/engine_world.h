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
    uint64_t restart_usec; /* the runtime's pause after an exit; 0: a short one */
    char *trace;           /* the called methods that change something */
    char *saved;           /* the record as written last */
    unsigned saves, notices;
    const char *lost;    /* a method whose next call has its effect and gets no reply */
    const char *failing; /* a method whose calls have no effect and fail */
    const char *ignored; /* a method whose calls have no effect and succeed */
    const char *absent;  /* an image that is not on this machine and cannot be pulled; NULL: none */
    bool pulls_hang;     /* a pull gets no reply, rather than a failure */
    bool package_lost;   /* the published package is missing, and containers do not start without it */
    unsigned cancelled;  /* pulls */
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

/* Requests another revision, whose image is "image:REVISION" (of the first one: "busybox"), or another
 * action. */
void want_update(struct fixture *f, int64_t revision);
void want_action(struct fixture *f, enum app_action action);
/* Makes 'package' a package of the desired revision, before the first deploy. */
void use_package(struct fixture *f, const char *package);
/* Removes a container behind the engine's back, as "docker rm -f" does. */
void remove_container(struct fixture *f, int slot);
/* Reports whether a container of the revision runs with the policy "always", and no other one exists. */
bool runs(const struct fixture *f, int64_t revision);

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
