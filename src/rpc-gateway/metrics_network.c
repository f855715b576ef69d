/* Implements metrics_network.h. rpc-gateway(8) defines the metrics. */
#include "rpc-gateway/metrics_network.h"

static void put_one(struct openmetrics *m, const char *name, const char *help, double value)
{
    openmetrics_family(m, name, "gauge", NULL, help);
    openmetrics_sample(m, "", value, NULL);
}

static void put_count(struct openmetrics *m, const char *name, const char *help, int64_t value)
{
    openmetrics_family(m, name, "counter", NULL, help);
    openmetrics_sample(m, "_total", (double)value, NULL);
}

void metrics_network(struct openmetrics *m, const struct net_info_out *network,
                     struct net_host_state *const *hosts, size_t n)
{
    put_one(m, "hostlet_network_device_ok", "1 if the VXLAN device is as the zone's network requires.",
            network->device_ok);
    put_one(m, "hostlet_network_masquerade",
            "1 if hostlet's rule masquerades what leaves the zone's network.", network->masquerade);
    put_one(m, "hostlet_network_problems", "What of the zone's network is not as it should be.",
            (double)network->n_problems);
    put_one(m, "hostlet_network_hosts", "The zone's other machines.", (double)n);
    put_one(m, "hostlet_network_peers", "Of them, those with a forwarding entry and a route.",
            (double)network->peers);
    put_count(m, "hostlet_network_repairs", "Changes by other programs that net-keeper corrected.",
              network->repairs);
    put_count(m, "hostlet_network_changes", "Messages that changed something in the kernel.",
              network->changes);
    openmetrics_family(m, "hostlet_network_peer_bytes", "counter", "bytes",
                       "Bytes between this machine's containers and those of another machine.");
    for (size_t i = 0; i < n; i++) {
        openmetrics_sample(m, "_total", (double)hosts[i]->sent_bytes, "host", hosts[i]->id, "direction",
                           "sent", NULL);
        openmetrics_sample(m, "_total", (double)hosts[i]->received_bytes, "host", hosts[i]->id, "direction",
                           "received", NULL);
    }
    openmetrics_family(m, "hostlet_network_peer_packets", "counter", NULL, "Packets between them.");
    for (size_t i = 0; i < n; i++) {
        openmetrics_sample(m, "_total", (double)hosts[i]->sent_packets, "host", hosts[i]->id, "direction",
                           "sent", NULL);
        openmetrics_sample(m, "_total", (double)hosts[i]->received_packets, "host", hosts[i]->id, "direction",
                           "received", NULL);
    }
}
