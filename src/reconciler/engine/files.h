/* The files that a replica's container reads. */
#pragma once

#include "reconciler/model/instance.h"

struct app_replica_instance *make_replica_file(const struct replica *replica,
                                               const struct record_revision *revision);
