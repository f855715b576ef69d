/* Classifies addresses as seen from this machine, to find those to which a server must not redirect. */
#pragma once

#include <sys/socket.h>

#include "lib/basic/util.h"

enum {
    /* This machine: 127.0.0.0/8, ::1, and the addresses that connect to it, too (0.0.0.0/8, ::). */
    HTTP_PLACE_SELF = 1,
    /* This machine's link, where clouds have their metadata servers: 169.254.0.0/16, fe80::/10, and
     * two more addresses of clouds. */
    HTTP_PLACE_LINK = 2,
};

/* Classifies an address given as text: returns one of the above, or 0, also for text that is no address.
 * An IPv4 address within IPv6 (mapped, compatible, NAT64) counts as the IPv4 address. */
unsigned http_place_of_text(const char *address);
/* Classifies the host in a URL: an address in any form that libcurl accepts, or "localhost"; 0 for other
 * names. */
unsigned http_place_of_url(const char *url);
/* Returns "this machine" or "a link-local address", for messages. */
const char *http_place_name(unsigned place);

/* Reports whether this address and port are those of a proxy in the environment (http_proxy, https_proxy,
 * all_proxy). A proxy given by a name matches every address. */
bool http_is_proxy(const char *address, int port);

/* Reports whether a URL's host, as written, is another machine: neither "localhost" nor an address of the
 * loopback interface. */
bool http_url_is_far(const char *url);
