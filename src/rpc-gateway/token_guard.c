/* Implements token_guard.h. */
#include "rpc-gateway/token_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "lib/schema/schema.h"

#define FORMAT 1
/* Bytes: TOKENS_KEPT entries of 86 characters and about 40 around them; the file is never written larger. */
#define FILE_MAX ((size_t)256 << 10)

struct seen {
    char *signature;
    int64_t until; /* unix seconds: the token's exp */
};

struct seen_file {
    int64_t format;
    struct seen **tokens;
    size_t n_tokens;
};

struct token_guard {
    char *path;
    uint64_t began_usec; /* CLOCK_BOOTTIME, when this process started */
    bool forgetful;      /* tokens that earlier processes accepted are lost */
    /* The file exists and cannot be read; it is renamed before a new one is written. */
    bool unreadable;
    struct seen_file seen;
};

static const struct schema_field seen_fields[] = {
    S_STRING(struct seen, signature, NULL),
    S_INT(struct seen, until, NULL),
    S_END,
};
static const struct schema_struct seen_schema = {"SeenToken", sizeof(struct seen), NULL, seen_fields};
static const struct schema_field file_fields[] = {
    S_INT(struct seen_file, format, NULL),
    S_STRUCTS(struct seen_file, tokens, struct seen, &seen_schema, NULL),
    S_END,
};
static const struct schema_struct file_schema = {"SeenTokens", sizeof(struct seen_file), NULL, file_fields};

static int load(struct token_guard *g, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, g->path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = schema_parse_text(&file_schema, text, size, 0, g->path, &g->seen, e);
    if (r >= 0 && (g->seen.format > FORMAT || g->seen.n_tokens > TOKENS_KEPT)) {
        schema_done(&file_schema, &g->seen);
        r = error_refuse(e, ENOTSUP, "'%s' is of a newer version", g->path);
    }
    return r;
}

struct token_guard *token_guard_new(const struct tree *tree)
{
    struct error e = ERROR_INIT;
    struct token_guard *g = xcalloc(1, sizeof *g);
    _cleanup_free_ char *state = tree_state(tree, "zone");
    g->path = xasprintf("%s/tokens.json", state);
    g->began_usec = now_boottime_usec();
    g->forgetful = g->unreadable = load(g, &e) < 0;
    if (g->forgetful)
        log_warning(
            "%s; for %d s after the start, calls of a zone are refused, since they may be repeated ones",
            e.message, TOKEN_FUTURE_MAX);
    return g;
}

void token_guard_free(struct token_guard *g)
{
    if (!g)
        return;
    schema_done(&file_schema, &g->seen);
    free(g->path);
    free(g);
}

static bool was_taken(const struct token_guard *g, const char *signature)
{
    for (size_t i = 0; i < g->seen.n_tokens; i++)
        if (streq(g->seen.tokens[i]->signature, signature))
            return true;
    return false;
}

/* Removes the token that expired first, if there is one. The others are kept while there is room, because a
 * clock that is set back would make them valid again. */
static void drop_expired(struct token_guard *g, int64_t now)
{
    size_t first = 0;
    for (size_t i = 1; i < g->seen.n_tokens; i++)
        if (g->seen.tokens[i]->until < g->seen.tokens[first]->until)
            first = i;
    if (g->seen.tokens[first]->until > now)
        return;
    schema_free(&seen_schema, g->seen.tokens[first]);
    g->seen.n_tokens--;
    memmove(&g->seen.tokens[first], &g->seen.tokens[first + 1],
            (g->seen.n_tokens - first) * sizeof(struct seen *));
}

static int keep(struct token_guard *g, const struct token_claims *t, int64_t now, struct error *e)
{
    size_t size;
    if (g->seen.n_tokens == TOKENS_KEPT)
        drop_expired(g, now);
    if (g->seen.n_tokens == TOKENS_KEPT)
        return error_set(e, ERROR_RETRY, EAGAIN,
                         "more than %d calls of the zone in a minute: try again later", TOKENS_KEPT);
    struct seen *seen = schema_append(&g->seen.tokens, &g->seen.n_tokens, sizeof *seen);
    *seen = (struct seen){xstrdup(t->signature), t->exp};
    g->seen.format = FORMAT;
    _cleanup_free_ char *text = schema_pack_text(&file_schema, &g->seen, &size);
    int r = g->unreadable ? keep_aside(g->path, e) : 0;
    if (r >= 0)
        r = failpoint("token.before_keep") < 0 ? error_fail(e, EIO, "failpoint")
                                               : replace_file_within(g->path, FILE_MAX, text, size, 0600, e);
    if (r >= 0)
        g->unreadable = false;
    if (r >= 0 && failpoint("token.kept") < 0)
        r = error_fail(e, EIO, "failpoint");
    /* The caller can retry with another token: this one counts as used, whether the file was written or not.
     */
    if (r < 0)
        e->class = ERROR_RETRY;
    return r;
}

int token_guard_take(struct token_guard *g, const struct access_key *key, const char *token, int64_t now,
                     struct error *e)
{
    struct token_claims t;
    int64_t life, began = boottime_to_unix(g->began_usec);
    if (!token_claims(key, token, &t))
        return token_denied(e, "invalid access_token");
    if (t.own)
        return token_denied(e, "auth-denied : this token is one of the host's own");
    if (was_taken(g, t.signature))
        return token_denied(e, "auth-denied : this token was used before");
    if (__builtin_sub_overflow(t.exp, t.iat, &life) || life > TOKEN_LIFE_MAX)
        return token_denied(e, "auth-denied : from iat to exp are more than %d s", TOKEN_LIFE_MAX);
    if (t.iat > now + TOKEN_FUTURE_MAX)
        return token_denied(e, "auth-denied : iat is %" PRId64 " s in the future, set the clocks",
                            t.iat - now);
    if (t.iat < began || (g->forgetful && t.iat <= began + TOKEN_FUTURE_MAX))
        return token_denied(e, "auth-denied : iat is before the host's start, make a new token");
    return keep(g, &t, now, e);
}

bool token_guard_is_replay(const struct token_guard *g, const struct access_key *key, const char *token)
{
    struct token_claims t;
    return token_claims(key, token, &t) && (t.own || was_taken(g, t.signature));
}
