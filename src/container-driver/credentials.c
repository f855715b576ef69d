/* Implements credentials.h. */
#include "container-driver/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define FILE_MAX ((size_t)1024 * 1024)
/* The key under which "docker login" stores the credentials for docker.io. */
#define HUB "https://index.docker.io/v1/"

DEFINE_CLEANUP(json_t *, json_decref);
#define _cleanup_json_ _cleanup_(cleanup_json_decref)

/* Encodes a string in base64 with the alphabet for URLs and with padding: the form in which Docker reads the
 * header. */
static char *encode(const char *data)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = strlen(data);
    char *out = xcalloc((n + 2) / 3 * 4 + 1, 1), *at = out;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)data[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)(uint8_t)data[i + 1] << 8;
        if (i + 2 < n)
            v |= (uint8_t)data[i + 2];
        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        *at++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        *at++ = i + 2 < n ? alphabet[v & 63] : '=';
    }
    return out;
}

/* Decodes standard base64 into a string. Returns NULL when 'text' is not base64 or the result contains a NUL.
 */
static char *decode(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '=')
        n--;
    _cleanup_free_ char *out = xcalloc(n + 1, 1);
    size_t written = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        const char *p = strchr(alphabet, text[i]);
        if (!p)
            return NULL;
        bits = bits << 6 | (uint32_t)(p - alphabet);
        if (i % 4 != 0)
            out[written++] = (char)(bits >> (6 - 2 * (i % 4)) & 255);
    }
    return strlen(out) == written ? TAKE_PTR(out) : NULL;
}

/* Reports whether a key of the file names the registry 'domain'. A key may have a scheme and a path:
 * "https://registry.example:5000/v2/" and "registry.example:5000" name the same registry. */
static bool key_is_for(const char *key, const char *domain)
{
    if (streq(domain, "docker.io") && streq(key, HUB))
        return true;
    const char *host = after_prefix(key, "https://") ?: after_prefix(key, "http://") ?: key;
    size_t n = strcspn(host, "/");
    return strlen(domain) == n && strncmp(host, domain, n) == 0;
}

static json_t *entry_for(json_t *object, const char *domain)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (key_is_for(key, domain)) return value;
    return NULL;
}

static int header_from(json_t *entry, const char *path, const char *domain, char **ret, struct error *e)
{
    const char *token = json_string_value(json_object_get(entry, "identitytoken"));
    const char *auth = json_string_value(json_object_get(entry, "auth"));
    const char *address = streq(domain, "docker.io") ? HUB : domain;
    _cleanup_json_ json_t *content = NULL;
    if (token && *token) {
        content = json_pack("{s:s, s:s}", "identitytoken", token, "serveraddress", address);
    } else if (auth && *auth) {
        _cleanup_free_ char *pair = decode(auth);
        char *colon = pair ? strchr(pair, ':') : NULL;
        if (!colon)
            return error_refuse(e, EINVAL, "'%s': the \"auth\" of registry %s is not base64 of USER:PASSWORD",
                                path, domain);
        *colon = '\0';
        content =
            json_pack("{s:s, s:s, s:s}", "username", pair, "password", colon + 1, "serveraddress", address);
        if (!content)
            return error_refuse(e, EINVAL, "'%s': user or password for registry %s is not UTF-8", path,
                                domain);
    } else {
        return 0; /* "docker login" with a helper leaves an empty object */
    }
    _cleanup_free_ char *text = json_dumps(content, JSON_COMPACT);
    if (!text)
        return error_retry(e, ENOMEM, "'%s': out of memory", path);
    *ret = encode(text);
    return 0;
}

static int parse(const char *text, size_t size, const char *path, json_t **ret, struct error *e)
{
    json_error_t problem;
    skip_byte_order_mark(&text, &size);
    _cleanup_json_ json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!root)
        return error_refuse(e, EINVAL, "'%s', line %d: %s", path, problem.line, problem.text);
    if (!json_is_object(root))
        return error_refuse(e, EINVAL, "'%s' is not a JSON object", path);
    *ret = TAKE_PTR(root);
    return 0;
}

int credentials_find(const char *text, size_t size, const char *path, const char *domain, char **ret,
                     struct error *e)
{
    _cleanup_json_ json_t *root = NULL;
    int r = parse(text, size, path, &root, e);
    if (r < 0)
        return r;
    json_t *helper = entry_for(json_object_get(root, "credHelpers"), domain);
    if (helper)
        return error_refuse(e, ENOTSUP,
                            "'%s' names the credential helper '%s' for registry %s, and hostlet runs no "
                            "helpers: put the credentials into \"auths\"",
                            path, json_string_value(helper) ?: "?", domain);
    char *header = NULL;
    json_t *entry = entry_for(json_object_get(root, "auths"), domain);
    if (entry && (r = header_from(entry, path, domain, &header, e)) < 0)
        return r;
    json_t *store = json_object_get(root, "credsStore");
    if (!header && entry && json_is_string(store))
        return error_refuse(e, ENOTSUP,
                            "'%s' refers to the store '%s' for the credentials of registry %s, and hostlet "
                            "reads no stores: put the credentials into \"auths\"",
                            path, json_string_value(store), domain);
    *ret = header;
    return 0;
}

int credentials_read(const char *path, const char *domain, char **ret, struct error *e)
{
    *ret = NULL;
    if (!path || !*path)
        return 0;
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : credentials_find(text, size, path, domain, ret, e);
}

int credentials_check(const char *path, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_json_ json_t *root = NULL;
    size_t size;
    const char *registry;
    json_t *entry;
    if (!*path)
        return 0;
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = parse(text, size, path, &root, e);
    json_object_foreach(json_object_get(root, "auths"), registry, entry)
    {
        _cleanup_free_ char *header = NULL;
        if (r >= 0)
            r = header_from(entry, path, registry, &header, e);
    }
    return r;
}
