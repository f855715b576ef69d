/* Implements network_options.h. */
#include "container-driver/docker/network_options.h"

#include "container-driver/docker/version.h"
#include "lib/api/net_keeper.h"

#define OPTION_MTU        "com.docker.network.driver.mtu"
#define OPTION_MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"
#define OPTION_TRUSTED    "com.docker.network.bridge.trusted_host_interfaces"
#define OPTION_GATEWAY    "com.docker.network.bridge.gateway_mode_ipv4"

#define API_DROPS   "1.48" /* Docker 28.0 */
#define API_TRUSTED "1.50" /* Docker 28.2 */

#define STANDARD_MTU 1500 /* of a bridge whose network has no option */

json_t *docker_network_body(const struct spec_network *network, const char *api, const char *tree_id)
{
    json_t *options = json_object();
    if (network->mtu > 0)
        json_object_set_new(options, OPTION_MTU, json_sprintf("%lld", (long long)network->mtu));
    if (network->masqueraded)
        json_object_set_new(options, OPTION_MASQUERADE, json_string("false"));
    if (docker_version_is(api, API_TRUSTED))
        json_object_set_new(options, OPTION_TRUSTED, json_string(NET_DEVICE));
    else if (docker_version_is(api, API_DROPS))
        json_object_set_new(options, OPTION_GATEWAY, json_string("nat-unprotected"));
    return json_pack("{s:s, s:s, s:b, s:{s:[{s:s}]}, s:o, s:{s:s}}", /* */
                     "Name", VPC_NETWORK,                            /* */
                     "Driver", "bridge",                             /* */
                     "CheckDuplicate", 1,                            /* */
                     "IPAM", "Config", "Subnet", network->cidr,      /* */
                     "Options", options,                             /* */
                     "Labels", LABEL_TREE, tree_id);
}

const char *docker_network_warning(const char *api)
{
    return docker_version_is(api, API_DROPS) && !docker_version_is(api, API_TRUSTED)
               ? "Docker 28.0 and 28.1 filter none of the ports of its containers for machines that route to "
                 "them: "
                 "update Docker to 28.2 or newer, and remove the network while no container uses it"
               : NULL;
}

/* Reports whether a list that ':' separates contains a word. */
static bool contains(const char *list, const char *word)
{
    for (size_t n; list && *list; list += n + (list[n] == ':')) {
        n = strcspn(list, ":");
        if (n == strlen(word) && memcmp(list, word, n) == 0)
            return true;
    }
    return false;
}

void docker_network_read(struct reading *r, json_t *network, const char *api, struct driver_network *ret)
{
    json_t *options = read_object(r, network, "Options");
    const char *mtu = json_string_value(json_object_get(options, OPTION_MTU)),
               *masquerade = json_string_value(json_object_get(options, OPTION_MASQUERADE)),
               *trusted = json_string_value(json_object_get(options, OPTION_TRUSTED)),
               *gateway = json_string_value(json_object_get(options, OPTION_GATEWAY));
    *ret = (struct driver_network){
        .mtu = STANDARD_MTU,
        .masquerades = !streq_null(masquerade, "false"),
        .closed = docker_version_is(api, API_DROPS) && !contains(trusted, NET_DEVICE) &&
                  !streq_null(gateway, "nat-unprotected") && !streq_null(gateway, "routed")};
    if (mtu)
        (void)parse_int64(mtu, 1, 65535, &ret->mtu);
}
