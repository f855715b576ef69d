/* Implements complete.h. */
#include "container-driver/complete.h"

#include "container-driver/adopted.h"
#include "container-driver/lxcfs.h"

void container_complete(const struct settings *settings, struct driver_container *c)
{
    adopted_claim(settings->adopted, c);
    c->lxcfs_differs = c->lxcfs != lxcfs_available(settings);
}
