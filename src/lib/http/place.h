/* Where an address is, as seen from this machine: which ones a server must not send us to. */
#pragma once

#include <sys/socket.h>

#include "lib/basic/util.h"

enum {
    HTTP_PLACE_SELF = 1, /* this machine: 127.0.0.0/8, ::1, and what connects there too (0.0.0.0/8, ::) */
    HTTP_PLACE_LINK =
        2, /* its link, where clouds keep their metadata: 169.254.0.0/16, fe80::/10, and two more of theirs */
};

/* Of an address as text: one of the above, or 0, also for what is no address. IPv4 within IPv6 (mapped,
 * compatible, NAT64) counts as what it is of. */
unsigned http_place_of_text(const char *address);
/* Of the host as a URL names it: an address in any form that libcurl takes, or "localhost"; 0 for other
 * names. */
unsigned http_place_of_url(const char *url);
/* "this machine", for messages. */
const char *http_place_name(unsigned place);

/* Whether a connection to there is one to a proxy that the environment names (http_proxy, https_proxy,
 * all_proxy). */
bool http_is_proxy(const char *address, int port);
