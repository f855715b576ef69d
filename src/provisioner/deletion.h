/* What is on its way out: hidden directories of the app path, deleted in the background.
 *
 * There is one deletion for all that is hidden of one container. It has succeeded only when nothing of that
 * is left; until then it is tried again with growing pauses, for as long as the process lives, and shown with
 * the reason. */
#pragma once

#include "lib/varlink/server.h"
#include "provisioner/manager.h"

struct deletion;

/* Told once, in the loop: everything that was hidden when deletion_start() was called is gone, or why not. */
typedef void (*deletion_done_fn)(int result, const struct error *e, void *userdata);

/* Begins to delete what is hidden of 'of' (a container; or one hidden name that does not say whose it is), or
 * tries at once what waits for its next try. 'done' may be NULL. Nothing being hidden is a success. */
void deletion_start(struct manager *m, const char *of, deletion_done_fn done, void *userdata);

/* Begins to hide, and then to delete, the kept data of a container from before 'before' (unix seconds). */
void deletion_expire(struct manager *m, const char *container, int64_t before);

/* Begins with all that is hidden when the process starts. */
int deletions_recover(struct manager *m, struct error *e);

/* Whether anything is being deleted, or waits to be tried again. */
bool deletions_pending(const struct manager *m);

/* The method Deletions. */
int deletions_list(struct varlink_call *call, struct manager *m, struct error *e);

void deletions_free(struct manager *m);
