/* Implements places.h. */
#include "hostletd/places.h"

const struct place places[] = {
    {"", BASE_PREFIX, NULL, 0755, PLACE_BASE | PLACE_PREFIX_ONLY | PLACE_ADMINS},
    {"bin", BASE_PREFIX, NULL, 0755, PLACE_PREFIX_ONLY},
    {"", BASE_ETC, NULL, 0755, PLACE_BASE | PLACE_GROUP_MAY_WRITE},
    {"hostlet.conf.d", BASE_ETC, NULL, 0755, PLACE_GROUP_MAY_WRITE},
    {"", BASE_RUN, NULL, 0755, PLACE_BASE | PLACE_GROUP_HOSTLET | PLACE_FOR_ALL | PLACE_SOCKETS},
    {"", BASE_VAR, NULL, 0755, PLACE_BASE | PLACE_FOR_ALL},
    {"hostlet", BASE_VAR, NULL, 0755, PLACE_FOR_ALL},
    {"hostlet/reconciler", BASE_VAR, "reconciler", 0700, 0},
    {"hostlet/container-driver", BASE_VAR, "container-driver", 0700, 0},
    {"hostlet/fetcher", BASE_VAR, "fetcher", 0700, 0},
    {"hostlet/unpacker", BASE_VAR, "unpacker", 0700, 0},
    {"hostlet/provisioner", BASE_VAR, "provisioner", 0700, 0},
    {"hostlet/quota-keeper", BASE_VAR, "quota-keeper", 0700, 0},
    {"hostlet/net-keeper", BASE_VAR, "net-keeper", 0700, 0},
    {"hostlet/rpc-gateway", BASE_VAR, "rpc-gateway", 0700, 0},
    {"hostlet/agents", BASE_VAR, NULL, 0755, PLACE_FOR_ALL | PLACE_SOCKETS},
    {"hostlet/zone", BASE_VAR, "rpc-gateway", 02750, PLACE_GROUP_FETCHER},
    {"ipk", BASE_VAR, "fetcher", 0755, PLACE_FOR_ALL},
    {"ipk_install", BASE_VAR, NULL, 0755, PLACE_FOR_ALL | PLACE_PACKAGES},
    {"ipk_install/.staging", BASE_VAR, "unpacker", 0700, 0},
    {"", BASE_APPS, NULL, 0755, PLACE_BASE | PLACE_ADMINS},
    {.name = NULL},
};

const char *place_base(const struct tree *tree, const struct place *place)
{
    const char *const bases[] = {[BASE_PREFIX] = tree->prefix,
                                 [BASE_ETC] = tree->etc,
                                 [BASE_VAR] = tree->var,
                                 [BASE_RUN] = tree->run,
                                 [BASE_APPS] = tree->apps};
    return bases[place->base];
}

char *place_path(const struct tree *tree, const struct place *place)
{
    const char *base = place_base(tree, place);
    return *place->name ? xasprintf("%s/%s", base, place->name) : xstrdup(base);
}
