/* Preparing a revision: its packages resolved, its image and packages brought here. */
#pragma once

#include "reconciler/model/instance.h"

bool prepare_is_done(struct instance *instance, int64_t revision);
void prepare_start(struct instance *instance, int64_t revision);
/* What was there may have gone: it is looked at again before the next container is made of it. */
void prepare_redo(struct instance *instance, int64_t revision);
void prepare_drop(struct instance *instance,
                  int64_t revision); /* it is another one now: from the beginning */
void prepare_forget_failure(struct instance *instance, int64_t revision);
