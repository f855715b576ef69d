/* Implements facts.h. */
#include "fetcher/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define FACTS_FORMAT 1
#define FACTS_MAX    16384
#define ETAG_MAX     1024
#define DATE_MAX     64

#define T struct facts
static const struct schema_field fields[] = {
    S_INT(T, format, NULL),        S_STRING(T, url, NULL),
    S_STRING_OPT(T, etag, NULL),   S_STRING_OPT(T, last_modified, NULL),
    S_STRING_OPT(T, sha256, NULL), S_STRING_OPT(T, checksum, NULL),
    S_INT_OPT(T, size, NULL),      S_END,
};
static const struct schema_struct facts_schema = {"Facts", sizeof(T), NULL, fields};
#undef T

int facts_read(int partial_fd, const char *id, struct facts *ret)
{
    _cleanup_free_ char *name = xasprintf("%s.json", id), *text = NULL;
    size_t size;
    struct error e = ERROR_INIT;
    struct facts facts = {0};
    int r = read_file_at(partial_fd, name, FACTS_MAX, &text, &size, &e);
    if (r >= 0)
        r = schema_parse_text(&facts_schema, text, size, 0, name, &facts, &e);
    if (r < 0) {
        if (r != -ENOENT)
            log_warning("starting over with '%s': %s", id, e.message);
        return -ENOENT;
    }
    if (facts.format != FACTS_FORMAT) {
        facts_done(&facts);
        return -ENOENT;
    }
    *ret = facts;
    return 0;
}

char *facts_text(const struct facts *facts)
{
    struct facts copy = *facts;
    copy.format = FACTS_FORMAT;
    return schema_pack_text(&facts_schema, &copy, NULL);
}

int facts_write(int partial_fd, const char *id, const char *text, struct error *e)
{
    _cleanup_free_ char *name = xasprintf("%s.json", id);
    int r = file_fits(name, strlen(text), FACTS_MAX, e);
    return r < 0 ? r : replace_file_at(partial_fd, name, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1, e);
}

void facts_remove(int partial_fd, const char *id)
{
    _cleanup_free_ char *name = xasprintf("%s.json", id);
    unlinkat(partial_fd, name, 0);
}

void facts_done(struct facts *facts)
{
    schema_done(&facts_schema, facts);
}

bool facts_match(const struct facts *facts, const char *url, const struct package_reference *p)
{
    return streq(facts->url, url) && streq_null(facts->sha256, p->sha256) &&
           streq_null(facts->checksum, p->checksum) && (p->size == 0 || facts->size == p->size);
}

const char *facts_validator(const struct facts *facts)
{
    return facts->etag ?: facts->last_modified;
}

/* Reports whether a value is short printable ASCII: it is stored as JSON and sent back as a header. */
static bool is_plain(const char *value, size_t max)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    return n > 0 && n <= max;
}

char *strong_etag(const char *etag)
{
    return etag && etag[0] == '"' && is_plain(etag, ETAG_MAX) ? xstrdup(etag) : NULL;
}

char *plain_date(const char *date)
{
    return date && is_plain(date, DATE_MAX) ? xstrdup(date) : NULL;
}
