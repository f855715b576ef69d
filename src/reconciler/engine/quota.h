/* Limits of disk space, and the data of a replica that goes. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "reconciler/model/instance.h"

void quota_start(struct manager *m); /* begins to hear of levels */
void quota_stop(struct manager *m);
/* Whether the limit that is to be set is larger than the one that was. */
bool quota_raises(const struct replica *replica);
void quota_write_failed(struct replica *replica); /* a file could not be written: perhaps for want of room */
void quota_ensure(struct replica *replica);       /* the calls of its steps */
void quota_remove_data(struct replica *replica);
/* Whether its data may go now: so many purges are under way at most. It is asked again when one is over. */
bool quota_may_remove_data(const struct replica *replica);
void quota_purge_over(
    struct replica *replica); /* where its step deleted data, that has ended, one way or another */
/* It is wanted again while its old data is being deleted: what is hidden goes all the same, and is in
 * nobody's way. */
void quota_leave_purge(struct replica *replica);
void quota_was_set(struct replica *replica, const struct quota_values *values);
/* Whether the step goes on without: the reason is noted, to be shown. */
bool quota_may_be_missing(struct replica *replica, const struct error *e);
char *quota_text(const struct replica *replica); /* for people; NULL: nothing is limited. The caller frees. */
