/* Implements host_message.h. */
#include "rpc-gateway/host_message.h"

#include "lib/basic/util.h"

void host_message_fill(const struct host_status *s, const char *host_id, const char *lan_addr,
                       Inapi__HostStatus *ret)
{
    const struct host_counters *c = &s->last_minute;
    inapi__host_status__init(ret);
    ret->host_id = (char *)host_id;
    ret->uptime = s->uptime;
    ret->updated = s->updated;
    ret->cpu_model = (char *)s->cpu_model;
    ret->cpu_cores = s->cpu_cores;
    ret->cpu_sys = c->cpu_sys;
    ret->cpu_user = c->cpu_user;
    ret->mem_total = s->mem_total;
    ret->mem_used = s->mem_used;
    ret->mem_available = s->mem_available;
    if (lan_addr)
        ret->lan_addr = (char *)lan_addr;
    ret->net_recv_bytes = c->net_recv_bytes;
    ret->net_recv_count = c->net_recv_count;
    ret->net_sent_bytes = c->net_sent_bytes;
    ret->net_sent_count = c->net_sent_count;
    ret->disk_read_bytes = c->disk_read_bytes;
    ret->disk_read_count = c->disk_read_count;
    ret->disk_write_bytes = c->disk_write_bytes;
    ret->disk_write_count = c->disk_write_count;
    ret->disk_total_bytes = s->disk_total_bytes;
    ret->disk_free_bytes = s->disk_free_bytes;
}
