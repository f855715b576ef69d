/* Determines from a container's name and labels which replica it is of, and whom it belongs to: this tree,
 * another tree, the original agent of InnerStack v2, or another program. */
#pragma once

#include "lib/api/container_driver.h"

/* The labels that state an owner; NULL: the container does not carry the label. */
struct owner_labels {
    const char *tree;                  /* LABEL_TREE */
    const char *app_name, *app_rep_id; /* those that the contract defines */
};

/* Sets 'instance', 'replica_id', 'slot' and 'misnamed' of a container whose name is set: to the replica that
 * the name states or, with 'by_labels', to the one that the labels state. Returns false when they state none.
 */
bool owner_find_replica(struct driver_container *c, const struct owner_labels *labels, bool by_labels);

/* Sets 'ours', 'tree', 'owner', 'adoptable' and 'misfit' of a container whose name, instance, replica id,
 * slot, 'misnamed' and image are set. 'tree_id' is this tree's id. */
void owner_set(struct driver_container *c, const char *tree_id, const struct owner_labels *labels);
