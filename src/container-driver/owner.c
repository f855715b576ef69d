/* Implements owner.h. */
#include "container-driver/owner.h"

#include <inttypes.h>

#include "container-driver/name.h"
#include "container-driver/reading.h"

#define LABEL_TEXT_MAX 64 /* bytes of a label in a message */

static char *describe(const struct owner_labels *labels, const char *image)
{
    if (labels->tree)
        return xasprintf("a container of another hostlet tree (%.60s)", labels->tree);
    if (labels->app_name)
        return xasprintf("a container of another agent (app_name %.60s, image %.100s)", labels->app_name,
                         image ?: "?");
    return xasprintf("a container that someone else made (image %.100s)", image ?: "?");
}

/* Describes a container of this tree that is misnamed, for the replica whose name it has. */
static char *describe_renamed(const struct owner_labels *labels)
{
    return xasprintf("the container of replica %s of instance '%s', which another program renamed",
                     labels->app_rep_id, labels->app_name);
}

/* Returns why a container that does not belong to this tree cannot be adopted; NULL: it can. The original
 * agent gives each container labels from which its name follows. A container that lacks them is another
 * program's, and one with others was renamed, so that its replica is not known. The caller frees it. */
static char *find_misfit(const struct driver_container *c, const struct owner_labels *labels)
{
    if (labels->tree)
        return xasprintf("it belongs to another hostlet tree (%.60s)", labels->tree);
    if (c->slot != DRIVER_SLOT_CURRENT)
        return xstrdup("its name is that of a container which hostlet has put aside for a switch");
    if (!labels->app_name || !labels->app_rep_id)
        return xstrdup("it lacks the labels app_name and app_rep_id of the original agent");
    _cleanup_free_ char *id = xasprintf("%" PRId64, c->replica_id);
    if (streq(labels->app_name, c->instance) && streq(labels->app_rep_id, id))
        return NULL;
    _cleanup_free_ char *name = clean_text(labels->app_name, LABEL_TEXT_MAX),
                        *replica = clean_text(labels->app_rep_id, LABEL_TEXT_MAX);
    return xasprintf("its name does not fit its labels, app_name '%s' and app_rep_id '%s'", name, replica);
}

bool owner_find_replica(struct driver_container *c, const struct owner_labels *labels, bool by_labels)
{
    char *instance = NULL;
    int64_t id, labelled_id;
    int slot;
    bool named = container_name_parse(c->name, &instance, &id, &slot),
         labelled = container_labels_parse(labels->app_name, labels->app_rep_id, &labelled_id),
         differs = labelled && (!named || !streq(labels->app_name, instance) || labelled_id != id);
    c->misnamed = named && differs && !by_labels;
    if (!named && !(by_labels && labelled))
        return false;
    if (by_labels && differs) {
        free(instance);
        instance = xstrdup(labels->app_name);
        id = labelled_id;
        slot = DRIVER_SLOT_CURRENT;
    }
    free(c->instance);
    c->instance = instance;
    c->replica_id = id;
    c->slot = slot;
    return true;
}

void owner_set(struct driver_container *c, const char *tree_id, const struct owner_labels *labels)
{
    bool own = labels->tree && streq(labels->tree, tree_id);
    c->ours = own && !c->misnamed;
    c->tree = own ? NULL : xstrdup_null(labels->tree);
    c->owner = c->ours ? NULL : own ? describe_renamed(labels) : describe(labels, c->image);
    c->misfit = c->ours ? NULL : own ? xstrdup("it belongs to this tree") : find_misfit(c, labels);
    c->adoptable = !c->ours && !c->misfit;
}
