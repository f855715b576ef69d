/* Failpoints: named places where a test makes this process fail. Compiled in by --enable-failpoints alone.
 *
 * HOSTLET_FAILPOINT=NAME:ACTION[,NAME:ACTION…]; actions: kill (SIGKILL to ourselves), exit (exit 1), error
 * (the call returns −EIO), hang (stop for ever). A name may carry "@N": the Nth pass (from 1) is the one that
 * fails. With HOSTLET_FAILPOINT_ONCE=DIR an action is taken only if DIR/NAME can be created, so that a
 * restarted process passes. Every program lists its own with --failpoints: the names stand in a table,
 * checked at each use. */
#pragma once

#include "lib/basic/error.h"

#include "config.h"

#ifdef ENABLE_FAILPOINTS
/* 0, or −EIO where the test asked for an error. 'name' must be in the table given to failpoint_table();
 * before that, in a unit test, it is a place like any other. */
int failpoint(const char *name);
void failpoint_table(const char *const *names);
void failpoint_list(void); /* one name a line on standard output */
#else
#define failpoint(name)        ((void)(name), 0)
#define failpoint_table(names) ((void)(names))
#define failpoint_list()       ((void)0)
#endif

/* Passes a failpoint as a call that can fail: 0, or −EIO with a message that names it. */
int failpoint_error(const char *name, struct error *e);
