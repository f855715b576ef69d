/* Implements conflict.h. */
#include "reconciler/rules/conflict.h"

#include "lib/basic/util.h"

char *conflict_remedy(const struct driver_container *c, bool zone)
{
    if (!c->adoptable)
        return xstrdup("");
    if (zone)
        return xasprintf(
            ": 'hostletctl import DIR' takes over the machine of the original agent whose prefix is "
            "DIR, 'hostletctl adopt %s' only this container",
            c->name);
    /* The manifest has no revision in common with the container. */
    return xasprintf(": after 'hostletctl adopt --revision 0 %s' the manifest replaces it", c->name);
}
