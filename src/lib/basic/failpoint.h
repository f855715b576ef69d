/* Defines failpoints: named places where a test makes the process fail. They exist only in builds with
 * --enable-failpoints.
 *
 * HOSTLET_FAILPOINT=NAME:ACTION[,NAME:ACTION…] selects them. Actions: kill (the process sends itself
 * SIGKILL), exit (exits with 1), error (the call returns −EIO), hang (stops forever). "NAME@N" acts only
 * when the place is passed for the Nth time (from 1). With HOSTLET_FAILPOINT_ONCE=DIR an action is
 * performed only if DIR/NAME can be created, so that a restarted process passes. Every program lists its
 * failpoints with --failpoints; each use checks that the name is in this table. */
#pragma once

#include "lib/basic/error.h"

#include "config.h"

#ifdef ENABLE_FAILPOINTS
/* Returns 0, or −EIO if the test requested an error. 'name' must be in the table given to
 * failpoint_table(). Without a table, as in unit tests, no failpoint acts. */
int failpoint(const char *name);
void failpoint_table(const char *const *names);
void failpoint_list(void); /* Prints one name a line on standard output. */
#else
#define failpoint(name)        ((void)(name), 0)
#define failpoint_table(names) ((void)(names))
#define failpoint_list()       ((void)0)
#endif

/* Passes a failpoint as a call that can fail. Returns 0, or −EIO with a message that names the failpoint. */
int failpoint_error(const char *name, struct error *e);
