/* Exits in a row. */
#pragma once

#include "reconciler/model/instance.h"

void crash_note_exit(struct replica *replica, int64_t exit_code);
void crash_forget(struct replica *replica);
bool crash_looping(const struct replica *replica);
