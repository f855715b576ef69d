/* Implements manifest.h. */
#include "lib/manifest/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include "lib/app/check.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/manifest/options.h"
#include "lib/manifest/toml.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"

DEFINE_CLEANUP(struct toml_lines *, toml_lines_free);

/* The form of a document, which its top-level members determine. */
enum form {
    FORM_SPEC,     /* an app-spec, with the table [hostlet] */
    FORM_INSTANCE, /* an AppInstance, with the table [hostlet] */
    FORM_MANIFEST, /* the canonical form */
};

struct document {
    const char *source;
    json_t *json;
    struct toml_lines *lines; /* NULL for JSON */
    enum form form;
};

static bool is_json(const char *text, const char *source)
{
    if (has_suffix(source, ".json") || has_suffix(source, ".toml"))
        return has_suffix(source, ".json");
    while (isspace((unsigned char)*text))
        text++;
    return *text == '{';
}

/* --- the location of a mistake --- */

/* Converts a pointer of the canonical form to the pointer of the same member in the written form. The
 * caller frees it. */
static char *written_at(enum form form, const char *pointer)
{
    static const struct {
        const char *canonical, *written;
        bool rest;      /* the rest of the pointer is the same in both */
        bool spec_only; /* only for app-specs */
    } places[] = {
        {"/app/meta/name", "/hostlet/instance", false, true},
        {"/app/deploy/configs", "/hostlet/configs", false, true},
        {"/app/spec", "", true, true},
        {"/app", "", true, false},
        {"/hostlet/stop_timeout_msec", "/hostlet/stop_timeout", false, false},
        {"/hostlet/probation_msec", "/hostlet/probation", false, false},
    };
    if (form == FORM_MANIFEST)
        return xstrdup(pointer);
    if (form == FORM_SPEC && after_prefix(pointer, "/app/deploy/replicas"))
        return xstrdup(strstr(pointer, "/service_ports") ? "/hostlet/host_ports" : "/hostlet/replicas");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        const char *rest = after_prefix(pointer, places[i].canonical);
        if (rest && (*rest == '\0' || *rest == '/') && !(places[i].spec_only && form != FORM_SPEC))
            return xasprintf("%s%s", places[i].written, places[i].rest ? rest : "");
    }
    return xstrdup(pointer);
}

/* Converts "/packages/0/name" to TOML's notation, packages[0].name. The caller frees it. */
static char *dotted(const char *pointer)
{
    char *out = xcalloc(2 * strlen(pointer) + 2, 1), *end = out;
    for (const char *c = pointer; *c == '/';) {
        size_t n = strcspn(++c, "/");
        bool index = n > 0 && strspn(c, "0123456789") == n && end != out;
        if (index)
            *end++ = '[';
        else if (end != out)
            *end++ = '.';
        memcpy(end, c, n);
        end += n;
        if (index)
            *end++ = ']';
        c += n;
    }
    return out;
}

/* Converts a message "/POINTER: text" of the checks to "FILE:LINE: field: text" (TOML) or "FILE: /POINTER:
 * text" (JSON). */
static int place_error(const struct document *d, bool canonical, struct error *e)
{
    char *text = e->message[0] == '/' ? strstr(e->message, ": ") : NULL;
    if (!text)
        return error_prefix(e, "%s", d->source);
    _cleanup_free_ char *pointer = xstrndup(e->message, (size_t)(text - e->message)),
                        *why = xstrdup(text + 2),
                        *place = canonical ? written_at(d->form, pointer) : xstrdup(pointer);
    if (!d->lines)
        return error_refuse(e, EINVAL, "%s: %s: %s", d->source, *place ? place : "/", why);
    _cleanup_free_ char *field = dotted(place);
    return error_refuse(e, EINVAL, "%s:%u: %s%s%s", d->source, toml_line(d->lines, place), field,
                        *field ? ": " : "", why);
}

/* --- the three forms --- */

static enum form form_of(json_t *json)
{
    if (json_object_get(json, "app"))
        return FORM_MANIFEST;
    if (json_object_get(json, "spec") || json_object_get(json, "deploy") || json_object_get(json, "meta"))
        return FORM_INSTANCE;
    return FORM_SPEC;
}

static int fill(struct document *d, struct app_manifest *ret, struct error *e)
{
    int r;
    if (d->form == FORM_MANIFEST)
        return schema_parse(&app_manifest_schema, d->json, SCHEMA_STRICT, ret, e);
    _cleanup_(json_decrefp) json_t *table = json_incref(json_object_get(d->json, "hostlet"));
    json_object_del(d->json, "hostlet");
    ret->app = xcalloc(1, sizeof *ret->app);
    if (d->form == FORM_INSTANCE)
        r = schema_parse(&app_instance_schema, d->json, SCHEMA_STRICT, ret->app, e);
    else {
        struct app_spec *spec = xcalloc(1, sizeof *spec);
        r = schema_parse(&app_spec_schema, d->json, SCHEMA_STRICT, spec, e);
        ret->app->spec = spec;
    }
    if (r < 0)
        return r;
    if (!ret->app->deploy)
        ret->app->deploy = xcalloc(1, sizeof *ret->app->deploy);
    return table ? options_parse(table, d->form == FORM_INSTANCE, ret, e) : 0;
}

static int build(struct document *d, struct app_manifest *ret, struct error *e)
{
    int r;
    if ((r = fill(d, ret, e)) < 0)
        r = place_error(d, false, e);
    else if ((r = app_check(ret, e)) < 0 || (r = app_normalise(ret, e)) < 0)
        r = place_error(d, true, e);
    if (r < 0)
        schema_done(&app_manifest_schema, ret);
    return r;
}

int manifest_parse(const char *text, size_t size, const char *source, struct app_manifest *ret,
                   struct error *e)
{
    _cleanup_(json_decrefp) json_t *json = NULL;
    _cleanup_(cleanup_toml_lines_free) struct toml_lines *lines = NULL;
    struct error own = ERROR_INIT;
    e = e ?: &own;
    skip_byte_order_mark(&text, &size);
    if (is_json(text, source)) {
        json_error_t je;
        json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &je);
        if (!json)
            return error_refuse(e, EINVAL, "%s:%d:%d: %s", source, je.line, je.column, je.text);
    } else {
        _cleanup_free_ char *mistake = NULL;
        if (toml_parse(text, size, &json, &lines, &mistake) < 0)
            return error_refuse(e, EINVAL, "%s:%s", source, mistake);
    }
    struct document d = {.source = source, .json = json, .lines = lines, .form = form_of(json)};
    return build(&d, ret, e);
}

/* --- files --- */

static int read_standard_input(char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    for (;;) {
        text = xrealloc(text, size + 65536 + 1, 1);
        ssize_t n = read(STDIN_FILENO, text + size, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_os(e, errno, "cannot read standard input");
        size += (size_t)n;
        text[size] = '\0';
        if (n == 0)
            break;
        if (size > MANIFEST_SIZE_MAX)
            return error_refuse(e, EFBIG, "standard input: a manifest has at most %zu bytes",
                                MANIFEST_SIZE_MAX);
    }
    *ret = TAKE_PTR(text);
    *ret_size = size;
    return 0;
}

int manifest_read(const char *path, struct app_manifest *ret, struct error *e)
{
    _cleanup_free_ char *text = NULL, *real = NULL;
    size_t size = 0;
    bool standard_input = streq(path, "-");
    /* A symbolic link is allowed: the file belongs to the caller. */
    if (!standard_input && !(real = realpath(path, NULL)))
        return error_os(e, errno, "cannot open '%s'", path);
    int r = standard_input ? read_standard_input(&text, &size, e)
                           : read_file_at(AT_FDCWD, real, MANIFEST_SIZE_MAX, &text, &size, e);
    if (r < 0)
        return r;
    return manifest_parse(text, size, standard_input ? "standard input" : path, ret, e);
}
