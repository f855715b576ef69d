/* Exits of containers that nobody asked for. */
#pragma once

#include "reconciler/model/instance.h"

/* Notes an exit now. Where it makes a crash loop, the container's last words are asked for, and the loop is
 * shown with them; when the loop is over, that is shown, too. */
void exits_note(struct replica *replica, int64_t exit_code);

/* Forgets all exits, and with them a crash loop. */
void exits_forget(struct replica *replica);

/* Tells whether the replica is in a crash loop now. */
bool exits_are_a_loop(const struct replica *replica);
