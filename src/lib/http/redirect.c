/* Limits where a redirect may lead: to this machine itself, or to a link-local address, only if the first
 * server has an address of the same kind. A name can resolve to any address, and to another one the next
 * time, so the address of the connection decides. */
#include "lib/http/redirect.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/http/place.h"
#include "lib/http/request.h"
#include "lib/http/types.h"

static int refuse_place(struct http_request *q, unsigned place, const char *address)
{
    return http_request_fail(
        q, ERROR_FAILED, EPERM,
        "a redirect to %s, which is %s, is not followed: only a repository at such an address "
        "may redirect to one",
        address, http_place_name(place));
}

/* Returns the place of a connection. For a connection to a proxy, the URL's host decides instead of the
 * proxy's address. */
static unsigned place_of(struct http_request *q, const char *address, int port)
{
    char *url = NULL;
    if (!q->proxies || !http_is_proxy(address, port))
        return http_place_of_text(address);
    curl_easy_getinfo(q->easy, CURLINFO_EFFECTIVE_URL, &url);
    return url ? http_place_of_url(url) : 0;
}

/* Called by libcurl before each new connection, so that not even a connection is made to a forbidden
 * address. */
static curl_socket_t socket_function(void *userdata, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_request *q = userdata;
    char text[INET6_ADDRSTRLEN] = "";
    int port = 0;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (a->family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&a->addr;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        port = ntohs(in->sin_port);
    } else if (a->family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)&a->addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        port = ntohs(in6->sin6_port);
    }
    unsigned place = place_of(q, text, port);
    if (q->redirected && (place & ~q->origin_places)) {
        refuse_place(q, place, text);
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Called by libcurl before each request, also on a kept connection, which socket_function() has not
 * checked for this request. */
static int request_function(void *userdata, char *address, char *own, int port, int own_port)
{
    (void)own, (void)own_port;
    struct http_request *q = userdata;
    if (q->error.errnum) /* socket_function() refused one of a name's several addresses */
        return CURL_PREREQFUNC_ABORT;
    unsigned place = place_of(q, address, port);
    if (!q->redirected) {
        q->origin_places = place;
        return CURL_PREREQFUNC_OK;
    }
    if (!(place & ~q->origin_places))
        return CURL_PREREQFUNC_OK;
    refuse_place(q, place, address);
    return CURL_PREREQFUNC_ABORT;
}

void http_guard_redirects(struct http_request *q, const struct http_ask *ask)
{
    CURL *h = q->easy;
    if (ask->unix_socket || ask->max_redirects == 0)
        return;
    q->proxies = ask->environment_proxy;
    curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, socket_function);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, q);
    curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, request_function);
    curl_easy_setopt(h, CURLOPT_PREREQDATA, q);
}
