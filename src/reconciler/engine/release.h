/* Letting go of revisions that no replica uses any more, and of their packages. */
#pragma once

#include "reconciler/model/instance.h"

/* Those of the revision that no instance uses any more; it is no part of a record by now. */
void release_packages(struct manager *m, const struct record_revision *revision);
/* Nothing is left of the instance: its packages go before its record does, so that whoever is killed, the
 * next life knows of them. True when they are gone. */
bool instance_let_go(struct instance *instance);
void instance_release_revisions(
    struct instance *instance); /* those that no replica uses, and their packages */
