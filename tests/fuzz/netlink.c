/* Fuzzes the parser of the kernel's messages, and the plan that follows from what they state: the changes of
 * the plan make the kernel agree with the network, and touch no other device. */
#include "net-keeper/watch.h"
#include "net_model.h"

static struct net_host hosts[] = {
    {(char *)"a", (char *)"192.168.60.1", (char *)"10.77.1.1", (char *)"10.78.1.0/24"},
    {(char *)"b", (char *)"192.168.60.2", (char *)"10.77.1.2", (char *)"10.78.2.0/24"},
    {(char *)"c", (char *)"192.168.60.3", (char *)"10.77.1.3", (char *)"10.78.3.0/24"},
    {(char *)"d", (char *)"192.168.60.3", (char *)"10.77.1.4", (char *)"10.78.4.0/24"}};
static struct net_host *pointers[] = {&hosts[0], &hosts[1], &hosts[2], &hosts[3]};
static const struct net_network network = {.host_id = (char *)"a",
                                           .lan_addr = (char *)"192.168.60.1",
                                           .bridge_ip = (char *)"10.77.1.1",
                                           .instance_cidr = (char *)"10.78.1.0/24",
                                           .vpc_bridge_cidr = (char *)"10.77.0.0/16",
                                           .vpc_instance_cidr = (char *)"10.78.0.0/16",
                                           .hosts = pointers,
                                           .n_hosts = ARRAY_SIZE(hosts)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct actual actual = {.n_links = 0};
    struct map map;
    map_make(&network, &map);
    while (size >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;
        memcpy(&head, data, sizeof head);
        /* The kernel's messages are complete; what they contain need not be. */
        size_t length = head.nlmsg_len < size ? head.nlmsg_len : size;
        if (length < sizeof head)
            break;
        struct nlmsghdr *message =
            malloc(length); /* of exactly this size, so that a sanitizer sees its end */
        must(message);
        memcpy(message, data, length);
        message->nlmsg_len = (uint32_t)length;
        bool added = actual_add(&actual, message);
        must(added || !watch_concerns(&map, 3, 2, message));
        free(message);
        size_t step = NLMSG_ALIGN(length);
        data += step < size ? step : size;
        size -= step < size ? step : size;
    }
    model_settles(&map, &actual);
    actual_done(&actual);
    map_done(&map);
    return 0;
}
