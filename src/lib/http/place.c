/* Implements place.h. */
#include "lib/http/place.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/basic/cleanup.h"
#include "lib/http/client.h"

DEFINE_CLEANUP(CURLU *, curl_url_cleanup);
#define _cleanup_url_ _cleanup_(cleanup_curl_url_cleanup)

static const struct {
    uint32_t address, mask;
    unsigned place;
} ipv4[] = {
    {0x7f000000, 0xff000000, HTTP_PLACE_SELF}, /* 127.0.0.0/8 */
    {0x00000000, 0xff000000, HTTP_PLACE_SELF}, /* 0.0.0.0/8 */
    {0xa9fe0000, 0xffff0000, HTTP_PLACE_LINK}, /* 169.254.0.0/16 */
    {0x646464c8, 0xffffffff, HTTP_PLACE_LINK}, /* 100.100.100.200: the metadata server of Alibaba's cloud */
};

static unsigned place_of_ipv4(uint32_t address)
{
    for (size_t i = 0; i < ARRAY_SIZE(ipv4); i++)
        if ((address & ipv4[i].mask) == ipv4[i].address)
            return ipv4[i].place;
    return 0;
}

static unsigned place_of_ipv6(const struct in6_addr *a)
{
    static const struct in6_addr amazon = {
        {{0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}}; /* fd00:ec2::254 */
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b}; /* 64:ff9b::/96 */
    if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a))
        return HTTP_PLACE_SELF;
    if (IN6_IS_ADDR_LINKLOCAL(a) || IN6_ARE_ADDR_EQUAL(a, &amazon))
        return HTTP_PLACE_LINK;
    bool within = IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) || memcmp(a, nat64, sizeof nat64) == 0;
    return within ? place_of_ipv4(ntohl(a->s6_addr32[3])) : 0;
}

unsigned http_place_of_text(const char *address)
{
    size_t n = strcspn(address, "%]"); /* ends before a zone id or the closing bracket of a URL */
    _cleanup_free_ char *plain = xstrndup(address, n);
    const char *begin = plain + (*plain == '[');
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, begin, &in) == 1)
        return place_of_ipv4(ntohl(in.s_addr));
    return inet_pton(AF_INET6, begin, &in6) == 1 ? place_of_ipv6(&in6) : 0;
}

/* Returns a part of a URL, normalised by libcurl (127.1 and 0x7f000001 become 127.0.0.1), or NULL. The
 * caller frees it with curl_free(). */
static char *url_part(const char *url, CURLUPart part, unsigned flags)
{
    _cleanup_url_ CURLU *parsed = curl_url();
    char *text = NULL;
    if (!parsed ||
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_DEFAULT_SCHEME) !=
            CURLUE_OK ||
        curl_url_get(parsed, part, &text, flags) != CURLUE_OK)
        return NULL;
    return text;
}

unsigned http_place_of_url(const char *url)
{
    char *host = url_part(url, CURLUPART_HOST, 0);
    if (!host)
        return 0;
    size_t n = strlen(host);
    if (n > 0 && host[n - 1] == '.')
        host[--n] = '\0';
    bool local =
        strcasecmp(host, "localhost") == 0 || (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0);
    unsigned place = local ? HTTP_PLACE_SELF : http_place_of_text(host);
    curl_free(host);
    return place;
}

bool http_url_is_far(const char *url)
{
    return http_place_of_url(url) != HTTP_PLACE_SELF;
}

const char *http_place_name(unsigned place)
{
    return place == HTTP_PLACE_SELF ? "this machine" : "a link-local address";
}

bool http_is_proxy(const char *address, int port)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *proxy = getenv(names[i]);
        if (!proxy || !*proxy)
            continue;
        char *host = url_part(proxy, CURLUPART_HOST, 0), *its_port = url_part(proxy, CURLUPART_PORT, 0);
        int64_t number = 1080; /* libcurl's default */
        if (its_port)
            (void)parse_int64(its_port, 1, 65535, &number);
        if (host && *host == '[')
            host[strcspn(host, "%]")] = '\0';
        const char *name = host ? host + (*host == '[') : "";
        struct in6_addr any;
        bool literal = inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
        bool same = *name && number == port && (!literal || streq(name, address));
        curl_free(host);
        curl_free(its_port);
        if (same)
            return true;
    }
    return false;
}
