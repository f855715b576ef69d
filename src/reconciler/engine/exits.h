/* Records exits of containers without a request, and shows crash loops. rules/crash.c decides what a crash
 * loop is. */
#pragma once

#include "reconciler/model/instance.h"

/* Records an exit of the current container at present. If the replica is in a crash loop then, the function
 * requests the container's last lines and shows the loop with them. The end of the loop is shown, too. */
void exits_note(struct replica *replica, int64_t exit_code);

/* Notes whether the current container, which was just inspected, runs: only the time for which it does counts
 * for the beginning and the end of a crash loop. */
void exits_see(struct replica *replica);

/* Records that processes of the container were killed at present for lack of memory. That is no exit: the
 * main process may run on. */
void exits_note_oom(struct replica *replica);

/* Returns why the current container exited last without a request, or NULL if it did not. The caller frees
 * it.
 */
char *exits_reason(const struct replica *replica);

/* Drops all recorded exits, which ends a crash loop, and the replica's message before a request is followed.
 * If the container that is in a crash loop stays, the request changes nothing about it, and nothing is
 * dropped.
 */
void exits_forget_before(struct replica *replica);

/* Reports whether the replica is in a crash loop at present. */
bool exits_are_a_loop(const struct replica *replica);
