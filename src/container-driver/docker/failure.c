/* Implements failure.h. */
#include "container-driver/docker/failure.h"

#include <errno.h>

#include "container-driver/reading.h"

#define MESSAGE_MAX 600

static char *message_of(const char *body, size_t size)
{
    _cleanup_json_ json_t *j = json_loadb(body, size, JSON_ALLOW_NUL, NULL);
    const char *message = json_string_value(json_object_get(j, "message"));
    if (message && *message)
        return clean_text(message, MESSAGE_MAX);
    /* When the body is not JSON, its bytes can be anything. */
    _cleanup_json_ json_t *probe = json_stringn(body, size);
    return !probe ? xstrdup("(not UTF-8)") : size > 0 ? clean_text(body, 200) : xstrdup("no reason given");
}

/* Reports whether a refusal with status 500 is temporary: its message names a helper of Docker (containerd,
 * the shim) or a time-out. */
static bool is_passing(const char *message)
{
    static const char *const words[] = {"deadline exceeded", "transport is closing", "containerd.sock",
                                        "connection error", "code = Unavailable"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasestr(message, words[i]))
            return true;
    return false;
}

int docker_refusal(const char *what, unsigned status, const char *body, size_t size, struct error *e)
{
    enum error_class class = ERROR_FAILED;
    int errnum = EIO;
    switch (status) {
    case 400:
        class = ERROR_REFUSED;
        errnum = EINVAL;
        break;
    case 404:
        class = ERROR_NOT_FOUND;
        errnum = ENOENT;
        break;
    case 409:
        class = ERROR_CONFLICT;
        errnum = EEXIST;
        break;
    case 429:
    case 502:
    case 503:
    case 504:
        class = ERROR_RETRY;
        errnum = EAGAIN;
        break;
    }
    _cleanup_free_ char *message = message_of(body, size);
    if (status == 500 && is_passing(message)) {
        class = ERROR_RETRY;
        errnum = EAGAIN;
    }
    return error_set(e, class, errnum, "cannot %s: Docker says: %s (status %u)", what, message, status);
}

void docker_pull_classify(struct error *e)
{
    static const struct {
        const char *words;
        enum error_class class;
        int errnum;
    } known[] = {
        {"manifest unknown", ERROR_NOT_FOUND, ENOENT},
        {"not found", ERROR_NOT_FOUND, ENOENT},
        {"repository does not exist", ERROR_NOT_FOUND, ENOENT},
        {"no matching manifest", ERROR_NOT_FOUND, ENOENT},
        {"unauthorized", ERROR_FAILED, EACCES},
        {"no basic auth credentials", ERROR_FAILED, EACCES},
        {"denied", ERROR_FAILED, EACCES},
        {"invalid reference", ERROR_REFUSED, EINVAL},
    };
    e->class = ERROR_RETRY;
    e->errnum = EIO;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcasestr(e->message, known[i].words)) {
            e->class = known[i].class;
            e->errnum = known[i].errnum;
            return;
        }
}

int docker_pull_failure(const char *message, struct error *e)
{
    _cleanup_free_ char *clean = clean_text(message, MESSAGE_MAX);
    struct error own = ERROR_INIT;
    error_retry(&own, EIO, "Docker says: %s", clean);
    docker_pull_classify(&own);
    return error_set(e, own.class, own.errnum, "%s", own.message);
}
