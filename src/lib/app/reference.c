/* Implements reference.h. Grammar and defaults are those of the distribution project's "reference" package.
 */
#include "lib/app/reference.h"

#include <arpa/inet.h>
#include <errno.h>

#define LOWER          "abcdefghijklmnopqrstuvwxyz"
#define DIGITS         "0123456789"
#define ALPHANUMERIC   LOWER DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DEFAULT_DOMAIN "docker.io"

#define TEXT_MAX       512
#define NAME_MAX_BYTES 255 /* of registry and path, as the grammar defines */

void image_reference_free(struct image_reference *r)
{
    if (!r)
        return;
    free(r->text);
    free(r->id);
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    free(r);
}

static bool only(const char *s, size_t n, const char *accepted)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(accepted, s[i]) || !s[i])
            return false;
    return true;
}

static bool is_sha256(const char *s)
{
    const char *hex = after_prefix(s, "sha256:");
    return hex && strlen(hex) == 64 && only(hex, 64, DIGITS "abcdef");
}

/* Reports whether 's' is a component of a path: lower-case words joined by ".", "_", "__" or one or more "-".
 */
static bool is_component(const char *s, size_t n)
{
    if (n == 0 || !only(s, n, LOWER DIGITS "._-") || strchr("._-", s[0]) || strchr("._-", s[n - 1]))
        return false;
    for (size_t i = 0; i + 1 < n; i++) {
        size_t run = strspn(s + i, "._-");
        if (run < 2 || i + run > n)
            continue;
        if (!(run == 2 && s[i] == '_' && s[i + 1] == '_') && !only(s + i, run, "-"))
            return false;
        i += run;
    }
    return true;
}

static bool is_path(const char *s)
{
    for (;;) {
        size_t n = strcspn(s, "/");
        if (!is_component(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static bool is_tag(const char *s)
{
    size_t n = strlen(s);
    return n >= 1 && n <= 128 && only(s, n, ALPHANUMERIC "_.-") && !strchr(".-", s[0]);
}

/* Reports whether 's' is a host name: words joined by single dots, none of which is empty or begins or ends
 * with a hyphen. */
static bool is_host(const char *s, size_t n)
{
    for (;;) {
        size_t word = strcspn(s, ".");
        if (word > n)
            word = n;
        if (word == 0 || !only(s, word, ALPHANUMERIC "-") || s[0] == '-' || s[word - 1] == '-')
            return false;
        if (word == n)
            return true;
        s += word + 1;
        n -= word + 1;
    }
}

static bool is_ipv6(const char *s, size_t n)
{
    _cleanup_free_ char *text = xstrndup(s, n);
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Reports whether 's' has the form HOST, HOST:PORT, [IPV6] or [IPV6]:PORT. */
static bool is_domain(const char *s)
{
    bool bracket = *s == '[';
    size_t n = bracket ? strcspn(s, "]") + 1 : strcspn(s, ":");
    if (n > strlen(s) || !(bracket ? is_ipv6(s + 1, n - 2) : is_host(s, n)))
        return false;
    int64_t port;
    return !s[n] || (s[n] == ':' && parse_int64(s + n + 1, 1, 65535, &port) == 0);
}

/* Splits a name into registry and path. The first part is a registry only if it contains a dot, a colon or a
 * capital letter, or is "localhost": "library/nginx" has none. */
static void split_domain(const char *name, struct image_reference *r)
{
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;
    _cleanup_free_ char *first = xstrndup(name, n);
    bool registry = slash && (strpbrk(first, ".:") || streq(first, "localhost") ||
                              strpbrk(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    if (registry) {
        r->domain = xstrdup(streq(first, "index.docker.io") ? DEFAULT_DOMAIN : first);
        r->path = xstrdup(slash + 1);
    } else {
        r->domain = xstrdup(DEFAULT_DOMAIN);
        r->path = xstrdup(name);
    }
    if (streq(r->domain, DEFAULT_DOMAIN) && !strchr(r->path, '/')) {
        char *path = xasprintf("library/%s", r->path);
        free(r->path);
        r->path = path;
    }
}

/* Refuses the text with a reason. Takes ownership of 'why'. */
static int refuse(const char *text, char *why, struct error *e)
{
    _cleanup_free_ char *reason = why;
    return error_refuse(e, EINVAL,
                        "'%.200s%s' is no reference of an image (NAME, NAME:TAG or NAME@DIGEST): %s", text,
                        strlen(text) > 200 ? "…" : "", reason);
}

/* Refuses the texts that are mistaken for references most often, with a sentence about the mistake. */
static int check_form(const char *text, struct error *e)
{
    const char *scheme = strstr(text, "://");
    size_t length = strlen(text);
    if (length == 0)
        return refuse(text, xstrdup("it is empty"), e);
    if (length > TEXT_MAX)
        return refuse(text, xasprintf("it is longer than %d bytes", TEXT_MAX), e);
    if (scheme)
        return refuse(text, xasprintf("it has no scheme: write '%s'", scheme + 3), e);
    return 0;
}

/* Cuts the digest and the tag off the name. */
static int split_end(char *name, struct image_reference *r, struct error *e)
{
    char *at = strchr(name, '@');
    if (at) {
        *at = '\0';
        r->digest = xstrdup(at + 1);
        if (!is_sha256(r->digest))
            return refuse(r->text, xstrdup("a digest is 'sha256:' and 64 of 0-9 and a-f"), e);
    }
    char *slash = strrchr(name, '/'), *colon = strchr(slash ?: name, ':');
    if (colon) {
        *colon = '\0';
        r->tag = xstrdup(colon + 1);
        if (!is_tag(r->tag))
            return refuse(
                r->text, xasprintf("'%s' is no tag: up to 128 letters, digits, '_', '.' and '-'", r->tag), e);
    }
    return 0;
}

static int check_name(const struct image_reference *r, struct error *e)
{
    if (!is_domain(r->domain))
        return refuse(r->text, xasprintf("'%s' is no registry (HOST or HOST:PORT)", r->domain), e);
    if (!is_path(r->path))
        return refuse(
            r->text,
            xasprintf("'%s' is no name: words of a-z and 0-9, joined by '.', '_', '__', '-' and '/'",
                      after_prefix(r->path, "library/") ?: r->path),
            e);
    if (strlen(r->domain) + 1 + strlen(r->path) > NAME_MAX_BYTES)
        return refuse(r->text, xasprintf("registry and name have more than %d bytes", NAME_MAX_BYTES), e);
    return 0;
}

int image_reference_parse(const char *text, struct image_reference **ret, struct error *e)
{
    _cleanup_image_reference_ struct image_reference *r = xcalloc(1, sizeof *r);
    r->text = xstrdup(text);
    bool digits = strlen(text) == 64 && only(text, 64, DIGITS "abcdef");
    if (is_sha256(text) || digits) {
        r->id = digits ? xasprintf("sha256:%s", text) : xstrdup(text);
        *ret = TAKE_PTR(r);
        return 0;
    }
    _cleanup_free_ char *name = xstrdup(text);
    int x = check_form(text, e);
    if (x >= 0)
        x = split_end(name, r, e);
    if (x < 0)
        return x;
    split_domain(name, r);
    x = check_name(r, e);
    if (x < 0)
        return x;
    if (r->digest) { /* the digest alone identifies the image: Docker ignores a tag beside it */
        free(r->tag);
        r->tag = NULL;
    } else if (!r->tag) {
        r->tag = xstrdup("latest");
    }
    *ret = TAKE_PTR(r);
    return 0;
}

char *image_reference_repository(const struct image_reference *r)
{
    return r->id ? xstrdup(r->id) : xasprintf("%s/%s", r->domain, r->path);
}

char *image_reference_canonical(const struct image_reference *r)
{
    if (r->id)
        return xstrdup(r->id);
    return xasprintf("%s/%s%s%s", r->domain, r->path, r->digest ? "@" : ":", r->digest ?: r->tag);
}
