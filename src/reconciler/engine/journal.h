/* The journal of a switch. */
#pragma once

#include "reconciler/model/instance.h"

void journal_commit(struct replica *replica);
void journal_begin_undo(struct replica *replica, const char *reason, enum app_stage_name stage);
void journal_fail(struct replica *replica, const void *last_words); /* the container did not stay up */
void journal_undone(struct replica *replica);
void journal_gone(struct replica *replica); /* nothing is left of a replica that stays known */
