/* Handles ports of this machine: their text, and which of them exclude each other. Pure functions.
 *
 * A port belongs to a protocol and to one address, or to all addresses of a family. "0.0.0.0" and "[::]" are
 * all IPv4 and all IPv6 addresses: the engine binds [::] for IPv6 alone (IPV6_V6ONLY), so that both can have
 * the same port. Only another program's listener can be on both (host_port.dual). */
#pragma once

#include <netinet/in.h>

#include "lib/api/app.h"
#include "lib/basic/error.h"

struct host_port {
    bool udp;
    bool v6;
    bool dual;               /* all IPv6 and all IPv4 addresses */
    struct in6_addr address; /* an IPv4 address is mapped (::ffff:…); in6addr_any: all of the family */
    int64_t port;
};

/* The longest text of host_port_text(), with its end. */
#define HOST_PORT_TEXT_SIZE (INET6_ADDRSTRLEN + 24)

/* Reports whether two ports cannot be bound at the same time. */
bool host_port_overlaps(const struct host_port *a, const struct host_port *b);
/* Reports whether the port is on all addresses of a family. */
bool host_port_is_wide(const struct host_port *port);
/* Writes "8080", "127.0.0.1:53/udp" or "[::]:8080"; TCP and all IPv4 addresses are not mentioned. */
const char *host_port_text(const struct host_port *port, char ret[HOST_PORT_TEXT_SIZE]);

/* Returns the port of a binding whose 'host_port' is chosen already. An address that is no address counts as
 * all IPv4 addresses; host_binding_check() refuses it. */
struct host_port host_port_of(const struct app_service_port *binding);
/* The same, of protocol and address alone, with another number. */
struct host_port host_port_at(int protocol, const char *address, int64_t port);

/* Parses "[ADDRESS:]PORT[-PORT][/tcp|/udp]", with an IPv6 address in brackets, into the binding's protocol,
 * host_address, host_port and host_port_last, in their normal form. Returns 0, or −EINVAL (refused); the
 * message has no object. */
int host_binding_parse(const char *text, struct app_service_port *ret, struct error *e);
/* Checks the address and the numbers of a binding with a host port. Returns 0, or −EINVAL (refused); the
 * message begins with the name of a member. */
int host_binding_check(const struct app_service_port *binding, struct error *e);
/* Makes the one form that is stored and compared: addresses in their shortest text, and nothing where the
 * value is the default (TCP, 0.0.0.0, a range of one port). The binding is checked. */
void host_binding_normalise(struct app_service_port *binding);
/* Drops what the contract does not know: protocol, address and range. */
void host_binding_reduce(struct app_service_port *binding);
