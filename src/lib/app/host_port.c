/* Implements host_port.h. */
#include "lib/app/host_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

#define FORM                                                                                                 \
    "PORT, FIRST-LAST or either behind ADDRESS: or before /udp, such as \"127.0.0.1:53/udp\" or "            \
    "\"[::]:8080\""

static bool is_any(const struct in6_addr *address)
{
    return IN6_IS_ADDR_UNSPECIFIED(address);
}

bool host_port_is_wide(const struct host_port *port)
{
    return is_any(&port->address);
}

bool host_port_overlaps(const struct host_port *a, const struct host_port *b)
{
    if (a->port != b->port || a->udp != b->udp)
        return false;
    if (a->v6 != b->v6)
        return a->dual || b->dual;
    return is_any(&a->address) || is_any(&b->address) || IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

static void map(const struct in_addr *from, struct in6_addr *to)
{
    *to = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&to->s6_addr[12], from, sizeof *from);
}

/* Parses an address without brackets. The IPv6 form of an IPv4 address is that IPv4 address. */
static bool parse_address(const char *text, bool *ret_v6, struct in6_addr *ret)
{
    struct in_addr four;
    if (inet_pton(AF_INET, text, &four) == 1) {
        *ret_v6 = false;
        if (four.s_addr == INADDR_ANY)
            *ret = in6addr_any;
        else
            map(&four, ret);
        return true;
    }
    if (inet_pton(AF_INET6, text, ret) != 1)
        return false;
    *ret_v6 = !IN6_IS_ADDR_V4MAPPED(ret);
    if (!*ret_v6 && !memcmp(&ret->s6_addr[12], &in6addr_any, 4))
        *ret = in6addr_any;
    return true;
}

/* Writes the address, an IPv6 address in brackets if 'brackets' is set. */
static void write_address(const struct host_port *port, bool brackets, char ret[INET6_ADDRSTRLEN + 2])
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr four = {INADDR_ANY};
    if (!port->v6 && !is_any(&port->address))
        memcpy(&four, &port->address.s6_addr[12], sizeof four);
    if (port->v6)
        inet_ntop(AF_INET6, &port->address, text, sizeof text);
    else
        inet_ntop(AF_INET, &four, text, sizeof text);
    bool b = brackets && port->v6;
    snprintf(ret, INET6_ADDRSTRLEN + 2, "%s%s%s", b ? "[" : "", text, b ? "]" : "");
}

const char *host_port_text(const struct host_port *port, char ret[HOST_PORT_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN + 2] = "";
    bool mention = port->v6 || !is_any(&port->address);
    if (mention)
        write_address(port, true, address);
    snprintf(ret, HOST_PORT_TEXT_SIZE, "%s%s%u%s", address, mention ? ":" : "", (unsigned)port->port & 0xffff,
             port->udp ? "/udp" : "");
    return ret;
}

struct host_port host_port_at(int protocol, const char *address, int64_t port)
{
    struct host_port p = {.udp = protocol == APP_PROTOCOL_UDP, .port = port};
    if (!address || !parse_address(address, &p.v6, &p.address)) {
        p.v6 = false;
        p.address = in6addr_any;
    }
    return p;
}

struct host_port host_port_of(const struct app_service_port *binding)
{
    return host_port_at(binding->protocol, binding->host_address, binding->host_port);
}

/* --- bindings --- */

static int refuse_form(struct error *e)
{
    return error_refuse(e, EINVAL, "expected a port from 1 to 65535, or a text: " FORM);
}

static int check_address(const char *text, struct error *e)
{
    struct host_port p = {.port = 0};
    if (!parse_address(text, &p.v6, &p.address))
        return error_refuse(e, EINVAL, "host_address: '%.60s' is not an IP address", text);
    bool multicast = p.v6 ? IN6_IS_ADDR_MULTICAST(&p.address)
                          : !is_any(&p.address) && (p.address.s6_addr[12] & 0xf0) == 0xe0;
    if (multicast || (!p.v6 && !is_any(&p.address) && !memcmp(&p.address.s6_addr[12], "\xff\xff\xff\xff", 4)))
        return error_refuse(e, EINVAL, "host_address: '%s' is no address of one machine", text);
    if (p.v6 && IN6_IS_ADDR_LINKLOCAL(&p.address))
        return error_refuse(
            e, EINVAL, "host_address: '%s' is valid on one link alone, and no port can be published on it",
            text);
    return 0;
}

static int check_number(int64_t n, const char *name, struct error *e)
{
    return n >= 1 && n <= 65535 ? 0
                                : error_refuse(e, EINVAL, "%s: %" PRId64 " is not from 1 to 65535", name, n);
}

int host_binding_check(const struct app_service_port *binding, struct error *e)
{
    int r = check_number(binding->host_port, "host_port", e);
    if (r >= 0 && binding->host_port_last != 0)
        r = check_number(binding->host_port_last, "host_port_last", e);
    if (r >= 0 && binding->host_port_last != 0 && binding->host_port_last < binding->host_port)
        r = error_refuse(e, EINVAL, "host_port_last: %" PRId64 " is less than %" PRId64,
                         binding->host_port_last, binding->host_port);
    return r >= 0 && binding->host_address && *binding->host_address ? check_address(binding->host_address, e)
                                                                     : r;
}

void host_binding_normalise(struct app_service_port *b)
{
    char text[INET6_ADDRSTRLEN + 2];
    struct host_port port = host_port_of(b);
    if (b->protocol == APP_PROTOCOL_TCP)
        b->protocol = APP_PROTOCOL_ABSENT;
    if (b->host_port_last == b->host_port)
        b->host_port_last = 0;
    write_address(&port, false, text);
    free(b->host_address);
    b->host_address = port.v6 || !is_any(&port.address) ? xstrdup(text) : NULL;
}

void host_binding_reduce(struct app_service_port *b)
{
    b->protocol = APP_PROTOCOL_ABSENT;
    b->host_port_last = 0;
    free(b->host_address);
    b->host_address = NULL;
}

/* Cuts the address off, "127.0.0.1:" or "[::1]:". Returns the rest, or NULL if the text is not well-formed.
 * The caller frees *ret_address; NULL: there is none. */
static const char *split_address(const char *text, char **ret_address)
{
    const char *colon = strrchr(text, ':');
    *ret_address = NULL;
    if (!colon)
        return text;
    size_t n = (size_t)(colon - text);
    bool brackets = text[0] == '[';
    if (brackets && (n < 2 || text[n - 1] != ']'))
        return NULL;
    char *address = brackets ? xstrndup(text + 1, n - 2) : xstrndup(text, n);
    /* Without brackets, an IPv6 address would end in what looks like a port. */
    if (!*address || (strchr(address, ':') ? !brackets : brackets)) {
        free(address);
        return NULL;
    }
    *ret_address = address;
    return colon + 1;
}

int host_binding_parse(const char *text, struct app_service_port *ret, struct error *e)
{
    _cleanup_free_ char *copy = xstrdup(text), *address = NULL;
    char *slash = strrchr(copy, '/'), *dash;
    int protocol = APP_PROTOCOL_ABSENT;
    if (slash) {
        *slash = '\0';
        protocol = schema_enum_value(&app_protocol_enum, slash + 1);
        if (protocol <= 0)
            return error_refuse(e, EINVAL, "'%.40s' is neither tcp nor udp", slash + 1);
    }
    char *numbers = (char *)split_address(copy, &address);
    if (!numbers)
        return refuse_form(e);
    struct app_service_port b = {.protocol = protocol, .host_address = address};
    if ((dash = strchr(numbers, '-')))
        *dash = '\0';
    if (parse_int64(numbers, 1, 65535, &b.host_port) < 0 ||
        (dash && parse_int64(dash + 1, 1, 65535, &b.host_port_last) < 0))
        return refuse_form(e);
    struct error why = ERROR_INIT;
    if (host_binding_check(&b, &why) < 0)
        return error_refuse(e, EINVAL, "%s", strstr(why.message, ": ") + 2);
    b.host_address = TAKE_PTR(address);
    host_binding_normalise(&b);
    host_binding_reduce(ret);
    ret->protocol = b.protocol;
    ret->host_address = b.host_address;
    ret->host_port = b.host_port;
    ret->host_port_last = b.host_port_last;
    return 0;
}
