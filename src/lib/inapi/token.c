/* Implements token.h. */
#include "lib/inapi/token.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/inapi/token_mark.h"

#define TOKEN_MAX 4096
static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool all_of(const char *text, size_t n, const char *set)
{
    return strspn(text, set) >= n;
}

int access_key_parse(const char *text, struct access_key *ret, struct error *e)
{
    const char *id = after_prefix(text, "ak_"), *end = id ? strchr(id, '_') : NULL;
    size_t n = end ? (size_t)(end - id) : 0, m = end ? strlen(end + 1) : 0;
    if (n < 12 || n > 32 || !all_of(id, n, "0123456789abcdef"))
        return error_refuse(e, EINVAL, "an access key is ak_ID_SECRET, with an ID of 12 to 32 hex digits");
    if (m < 16 || m > 64 || !all_of(end + 1, m, letters))
        return error_refuse(e, EINVAL, "access key %.*s: its secret is not 16 to 64 letters and digits",
                            (int)n, id);
    ret->id = xstrndup(id, n);
    ret->secret = xstrdup(end + 1);
    return 0;
}

static void grant(struct access_key *key, char *scope)
{
    key->scopes = xrealloc(key->scopes, key->n_scopes + 1, sizeof *key->scopes);
    key->scopes[key->n_scopes++] = scope;
}

void access_key_grant_host(struct access_key *key, const char *host_id)
{
    grant(key, xasprintf("host:rw:%s", host_id));
    grant(key, xstrdup("pkg:ro"));
}

void access_key_done(struct access_key *key)
{
    if (key->secret)
        OPENSSL_cleanse(key->secret, strlen(key->secret));
    free(key->id);
    free(key->secret);
    for (size_t i = 0; i < key->n_scopes; i++)
        free(key->scopes[i]);
    free(key->scopes);
    *key = (struct access_key){.id = NULL};
}

bool access_key_allows(const struct access_key *key, const char *scope)
{
    size_t n = strlen(scope);
    for (size_t i = 0; i < key->n_scopes; i++) {
        const char *granted = key->scopes[i];
        if (streq(granted, "*") || streq(granted, scope))
            return true;
        if (strlen(granted) == n && has_suffix(granted, ":rw") && has_suffix(scope, ":ro") &&
            strncmp(granted, scope, n - 2) == 0)
            return true;
    }
    return false;
}

bool host_id_valid(const char *id)
{
    size_t n = strlen(id);
    return n >= 12 && n <= 16 && all_of(id, n, "0123456789abcdef");
}

void host_id_make(char ret[HOST_ID_SIZE])
{
    char hex[9], random[9];
    snprintf(hex, sizeof hex, "%08" PRIx32, (uint32_t)(now_realtime_usec() / USEC_PER_SEC));
    random_hex(random, 4);
    snprintf(ret, HOST_ID_SIZE, "%.4s%s", hex, random);
}

void access_secret_make(char ret[ACCESS_SECRET_SIZE])
{
    for (size_t i = 0; i + 1 < ACCESS_SECRET_SIZE;) {
        uint8_t byte;
        random_bytes(&byte, 1);
        if (byte < 248) /* 4 × 62: all letters are equally likely */
            ret[i++] = letters[byte % 62];
    }
    ret[ACCESS_SECRET_SIZE - 1] = '\0';
}

/* Encodes as base64url without padding. The caller frees the result. */

static char *encode(const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = xcalloc(size * 4 / 3 + 4, 1), *at = text;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
                     (i + 2 < size ? data[i + 2] : 0);
        size_t n = size - i < 3 ? size - i + 1 : 4;
        for (size_t k = 0; k < n; k++)
            *at++ = digits[v >> (18 - 6 * k) & 63];
    }
    return text;
}

static int digit_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

/* Decodes base64url. Returns NULL for invalid text; the caller frees the result. */
static char *decode(const char *text, size_t size, size_t *ret_size)
{
    if (size % 4 == 1)
        return NULL;
    char *data = xcalloc(size * 3 / 4 + 1, 1);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        int v = digit_value(text[i]);
        if (v < 0) {
            free(data);
            return NULL;
        }
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            data[n++] = (char)(bits >> have & 0xff);
        }
    }
    *ret_size = n;
    return data;
}

/* Returns the signature as text; NULL for an unknown algorithm. The caller frees it. */
static char *sign(const char *algorithm, const char *secret, const char *text, size_t size)
{
    const EVP_MD *md = streq(algorithm, "HS256")   ? EVP_sha256()
                       : streq(algorithm, "HS512") ? EVP_sha512()
                                                   : NULL;
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!md)
        return NULL;
    if (!HMAC(md, secret, (int)strlen(secret), (const uint8_t *)text, size, mac, &n))
        abort();
    return encode(mac, n);
}

char *token_sign(const struct access_key *key, int64_t now, const char *state)
{
    _cleanup_free_ char *header = xasprintf("{\"alg\":\"HS256\",\"kid\":\"%s\"}", key->id),
                        *claims = xasprintf("{\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"%s\":\"%s\"}", now,
                                            now + INAPI_TOKEN_LIFE, key->app ? "jti" : "state", state),
                        *first = encode((uint8_t *)header, strlen(header)),
                        *second = encode((uint8_t *)claims, strlen(claims)),
                        *text = xasprintf("%s.%s", first, second),
                        *signature = sign("HS256", key->secret, text, strlen(text));
    return xasprintf("%s.%s", text, signature);
}

/* A parsed token. */
struct token {
    json_t *header, *claims;
    const char *algorithm, *key_id;
    int64_t iat, exp;
    size_t signed_size;
    const char *signature;
};

static void token_done(struct token *t)
{
    json_decref(t->header);
    json_decref(t->claims);
}

static json_t *decode_object(const char *text, size_t size)
{
    size_t n = 0;
    _cleanup_free_ char *json = decode(text, size, &n);
    json_t *object = json ? json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (object && json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

static bool integer_member(json_t *object, const char *name, int64_t *ret)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        return false;
    *ret = json_integer_value(value);
    return true;
}

/* Parses a token and reports whether it has the right form. Its content is trustworthy only after the
 * signature is verified. */
static bool take_apart(const char *token, struct token *t)
{
    *t = (struct token){.header = NULL};
    const char *first = strnlen(token, TOKEN_MAX + 1) <= TOKEN_MAX ? strchr(token, '.') : NULL,
               *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.'))
        return false;
    t->header = decode_object(token, (size_t)(first - token));
    t->claims = decode_object(first + 1, (size_t)(second - first - 1));
    t->signed_size = (size_t)(second - token);
    t->signature = second + 1;
    t->algorithm = json_string_value(json_object_get(t->header, "alg"));
    t->key_id = json_string_value(json_object_get(t->header, "kid"));
    if (t->algorithm && t->key_id && strlen(t->key_id) <= 64 && integer_member(t->claims, "iat", &t->iat) &&
        integer_member(t->claims, "exp", &t->exp))
        return true;
    token_done(t);
    return false;
}

int token_denied(struct error *e, const char *fmt, ...)
{
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return error_refuse(e, EACCES, "authentication failed: rpc error: code = Unauthenticated desc = %s",
                        what);
}

static int check(const struct token *t, const char *text, const struct access_key *key, int64_t now,
                 struct error *e)
{
    if (key->disabled)
        return token_denied(e, "access-key(%s) is disabled", key->id);
    if (t->exp <= now)
        return token_denied(e, "access-token expired");
    if (key->app && (t->iat < now - INAPI_TOKEN_LIFE || t->iat > now + INAPI_TOKEN_LIFE))
        return token_denied(e, "auth-denied : iat expired");
    _cleanup_free_ char *right = sign(t->algorithm, key->secret, text, t->signed_size);
    if (!right)
        return token_denied(e, "none signer");
    size_t n = strlen(right);
    if (strlen(t->signature) != n || CRYPTO_memcmp(right, t->signature, n) != 0)
        return token_denied(e, "verify denied");
    return 0;
}

const struct access_key *token_verify(const struct access_key *keys, size_t n, const char *token, int64_t now,
                                      struct error *e)
{
    struct token t;
    const struct access_key *key = NULL;
    if (!token || !*token) {
        token_denied(e, "authorization token is missing");
        return NULL;
    }
    if (!take_apart(token, &t)) {
        token_denied(e, "invalid access_token");
        return NULL;
    }
    for (size_t i = 0; i < n && !key; i++)
        if (streq(keys[i].id, t.key_id))
            key = &keys[i];
    int r = key ? check(&t, token, key, now, e) : token_denied(e, "access-key(%s) not found", t.key_id);
    token_done(&t);
    return r < 0 ? NULL : key;
}

char *token_sign_own(const struct access_key *key, int64_t now)
{
    char state[UUID_SIZE];
    token_mark_make(key, state);
    return token_sign(key, now, state);
}

bool token_claims(const struct access_key *key, const char *token, struct token_claims *ret)
{
    struct token t;
    if (!take_apart(token, &t))
        return false;
    const char *state = json_string_value(json_object_get(t.claims, key->app ? "jti" : "state"));
    *ret = (struct token_claims){t.iat, t.exp, token_mark_is(key, state), t.signature};
    token_done(&t);
    return true;
}

int64_t token_made_at(const char *token)
{
    struct token t;
    if (!token || !take_apart(token, &t))
        return -1;
    int64_t at = t.iat;
    token_done(&t);
    return at;
}
