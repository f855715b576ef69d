/* Records exits of containers without a request, and shows crash loops. rules/crash.c decides what a crash
 * loop is. */
#pragma once

#include "reconciler/model/instance.h"

/* Records an exit at present. If the replica is in a crash loop then, the function requests the container's
 * last lines and shows the loop with them. The end of the loop is shown, too. */
void exits_note(struct replica *replica, int64_t exit_code);

/* Drops all recorded exits, which ends a crash loop. */
void exits_forget(struct replica *replica);

/* Reports whether the replica is in a crash loop at present. */
bool exits_are_a_loop(const struct replica *replica);
