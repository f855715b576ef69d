/* Deletes hidden directories of the app path in the background.
 *
 * One deletion exists per container, for all hidden directories of it. It succeeds when none of them is
 * left. After a failure it is retried with growing pauses as long as the process runs, and the method
 * Deletions shows it with its error. */
#pragma once

#include "lib/varlink/server.h"
#include "provisioner/manager.h"

struct deletion;

/* Receives the result of a deletion: 0 when every directory that was hidden at the time of
 * deletion_start() is deleted, or a negative errno with 'e'. Runs once, in the loop. */
typedef void (*deletion_done_fn)(int result, const struct error *e, void *userdata);

/* Starts the deletion of what is hidden of 'of': a container, or the name of one hidden directory whose
 * name contains no container. A deletion that waits for a retry starts at once. 'done' can be NULL. If
 * nothing is hidden, the deletion succeeds. */
void deletion_start(struct manager *m, const char *of, deletion_done_fn done, void *userdata);

/* Starts to hide, and then to delete, the container's kept data that was removed before 'before' (unix
 * seconds). */
void deletion_expire(struct manager *m, const char *container, int64_t before);

/* Hides unfinished directories of an earlier process and starts the deletion of all that is hidden.
 * Returns 0 or a negative errno. */
int deletions_recover(struct manager *m, struct error *e);

/* Reports whether a deletion runs or waits for a retry. */
bool deletions_pending(const struct manager *m);

/* Implements the method Deletions. */
int deletions_list(struct varlink_call *call, struct manager *m, struct error *e);

void deletions_free(struct manager *m);
