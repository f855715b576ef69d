/* Removes revisions that no replica uses any more, and their packages. */
#pragma once

#include "reconciler/model/instance.h"

/* Removes the packages of a revision that no instance uses, unless 'keep_packages' is set. The revision is no
 * longer in a record. */
void release_packages(struct manager *m, const struct record_revision *revision);
/* Reports whether a removal of the package is in progress. A package that is brought meanwhile could be
 * removed afterwards. */
bool package_is_being_removed(const struct manager *m, const char *id);
/* Removes the packages of an instance without replicas. They are removed before its record, so that after a
 * kill the next process finds them in the record. Returns true when this has ended; a turn is requested then.
 */
bool instance_let_go(struct instance *instance);
/* Drops revisions that no replica uses from the record, and removes their packages. */
void instance_release_revisions(struct instance *instance);
