/* Limits of disk space. */
#pragma once

#include "reconciler/model/instance.h"

void quota_start(struct manager *m); /* begins to hear of levels */
void quota_stop(struct manager *m);

/* The step that sets the limit, and what follows. */
void quota_ensure(struct replica *replica);
void quota_was_set(struct replica *replica, const void *out);
/* Whether the step goes on without: the reason is noted, to be shown. */
bool quota_may_be_missing(struct replica *replica, const struct error *e);

/* Whether the limit that is to be set is larger than the one that was. */
bool quota_raises(const struct replica *replica);
void quota_write_failed(struct replica *replica); /* a file could not be written: perhaps for want of room */
char *quota_text(const struct replica *replica); /* for people; NULL: nothing is limited. The caller frees. */
