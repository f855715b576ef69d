/* Writes the journal, the part of the record by which a switch is continued or rolled back after a kill. */
#pragma once

#include "reconciler/model/instance.h"

/* Records that the target revision passed its probation. If the write fails, it is repeated later: a process
 * that is killed before that only repeats the probation. */
void journal_commit(struct replica *replica);
/* Records the revision of an adopted container as applied, since the original agent has applied it: the
 * container needs no probation, and is kept when a switch from it fails. A local instance has no revision in
 * common with the original agent: its container counts as one of revision 0. */
void journal_adopt(struct replica *replica);
/* Records that the switch failed, and why, and that its rollback begins. 'stage' is shown as failed. */
void journal_begin_undo(struct replica *replica, const char *reason, enum app_stage_name stage);
/* Does so for a container that did not stay up. 'last_words' is the reply of Tail, or NULL. */
void journal_fail(struct replica *replica, const void *last_words);
/* Records that the rollback is complete. A first deploy, which has no applied revision, is retried after a
 * pause. */
void journal_undone(struct replica *replica);
/* Clears the journal of a destroyed replica that stays in the record. */
void journal_gone(struct replica *replica);
