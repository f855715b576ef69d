/* Implements projects.h. */
#include "quota-keeper/projects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"

struct line {
    const char *text;
    size_t size;   /* with its newline, if there is one */
    size_t length; /* without the newline */
};

static bool next_line(const char **text, size_t *left, struct line *ret)
{
    if (*left == 0)
        return false;
    const char *newline = memchr(*text, '\n', *left);
    ret->text = *text;
    ret->length = newline ? (size_t)(newline - *text) : *left;
    ret->size = newline ? ret->length + 1 : ret->length;
    *text += ret->size;
    *left -= ret->size;
    return true;
}

static bool is_container(const char *name)
{
    _cleanup_free_ char *instance = NULL;
    int64_t id;
    return app_container_name_parse(name, &instance, &id) == 0;
}

/* Splits ID:REST or, with 'id_last', REST:ID. The caller frees *ret_rest. */
static bool split(const struct line *line, bool id_last, int64_t *ret_id, char **ret_rest)
{
    if (memchr(line->text, '\0', line->length))
        return false;
    _cleanup_free_ char *copy = xstrndup(line->text, line->length);
    char *colon = id_last ? strrchr(copy, ':') : strchr(copy, ':');
    if (!colon)
        return false;
    *colon = '\0';
    if (parse_int64(id_last ? colon + 1 : copy, 0, UINT32_MAX, ret_id) < 0)
        return false;
    *ret_rest = xstrdup(id_last ? copy : colon + 1);
    return true;
}

/* Returns the container of a line of /etc/projects, or NULL if the line does not belong to this tree. The
 * caller frees it. */
static char *our_directory(const char *apps, const struct line *line, int64_t *ret_id)
{
    _cleanup_free_ char *path = NULL;
    if (!split(line, false, ret_id, &path))
        return NULL;
    const char *name = after_prefix(path, apps);
    return name && *name == '/' && is_container(name + 1) ? xstrdup(name + 1) : NULL;
}

static int compare(const void *name, const void *entry)
{
    return strcmp(name, ((const struct projects_entry *)entry)->name);
}

static const struct projects_entry *find(const struct projects *p, const char *name)
{
    return p->n ? bsearch(name, p->entries, p->n, sizeof *p->entries, compare) : NULL;
}

/* The text that is written. If a last line has no newline, one is added before another line follows. */
struct output {
    FILE *file;
    char *text;
    size_t size;
    bool open_line;
};

static void output_begin(struct output *o)
{
    *o = (struct output){.open_line = false};
    o->file = open_memstream(&o->text, &o->size);
    if (!o->file)
        abort();
}

static void output_bytes(struct output *o, const struct line *line)
{
    if (o->open_line)
        fputc('\n', o->file);
    fwrite(line->text, 1, line->size, o->file);
    o->open_line = line->size == line->length;
}

static void output_text(struct output *o, char *text)
{
    output_bytes(o, &(struct line){text, strlen(text), strlen(text) - 1});
    free(text);
}

static char *output_end(struct output *o, size_t *ret_size)
{
    if (fclose(o->file) != 0)
        abort();
    *ret_size = o->size;
    return o->text;
}

char *projects_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size)
{
    struct output o;
    struct line line;
    _cleanup_free_ bool *seen = xcalloc(p->n + 1, sizeof *seen);
    output_begin(&o);
    while (next_line(&text, &size, &line)) {
        int64_t id;
        _cleanup_free_ char *name = our_directory(p->apps, &line, &id);
        const struct projects_entry *entry = name ? find(p, name) : NULL;
        bool wanted = entry && entry->directory && entry->id == id && !seen[entry - p->entries];
        if (wanted)
            seen[entry - p->entries] = true;
        if (!name || wanted || (p->keep && !(entry && entry->directory)))
            output_bytes(&o, &line);
    }
    for (size_t i = 0; i < p->n; i++)
        if (p->entries[i].directory && !seen[i])
            output_text(&o, xasprintf("%" PRId64 ":%s/%s\n", p->entries[i].id, p->apps, p->entries[i].name));
    return output_end(&o, ret_size);
}

char *projid_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size)
{
    struct output o;
    struct line line;
    /* seen is also set when another project has the entry's name. */
    _cleanup_free_ bool *seen = xcalloc(p->n + 1, sizeof *seen);
    struct id_set named = {.all_full = 0};
    output_begin(&o);
    while (next_line(&text, &size, &line)) {
        int64_t id;
        _cleanup_free_ char *name = NULL;
        if (!split(&line, true, &id, &name)) {
            output_bytes(&o, &line);
            continue;
        }
        const struct projects_entry *entry = find(p, name);
        bool ours = is_container(name) && id_set_has(&p->ids, id),
             wanted = entry && entry->id == id && !seen[entry - p->entries];
        if (ours && !wanted)
            continue;
        if (entry)
            seen[entry - p->entries] = true;
        id_set_add(&named, id);
        output_bytes(&o, &line);
    }
    for (size_t i = 0; i < p->n; i++)
        if (!seen[i] && !id_set_has(&named, p->entries[i].id))
            output_text(&o, xasprintf("%s:%" PRId64 "\n", p->entries[i].name, p->entries[i].id));
    return output_end(&o, ret_size);
}

void projects_ids(const char *apps, const char *text, size_t size, bool ours, struct id_set *ids)
{
    struct line line;
    while (next_line(&text, &size, &line)) {
        int64_t id;
        _cleanup_free_ char *path = NULL;
        if (!split(&line, false, &id, &path))
            continue;
        _cleanup_free_ char *name = our_directory(apps, &line, &id);
        if (!name == !ours)
            id_set_add(ids, id);
    }
}

void projid_foreign_ids(const char *text, size_t size, struct id_set *ids)
{
    struct line line;
    while (next_line(&text, &size, &line)) {
        int64_t id;
        _cleanup_free_ char *name = NULL;
        if (split(&line, true, &id, &name) && !is_container(name))
            id_set_add(ids, id);
    }
}

static bool has_line(const char *text, size_t size, const struct line *wanted)
{
    struct line line;
    while (next_line(&text, &size, &line))
        if (line.length == wanted->length && memcmp(line.text, wanted->text, line.length) == 0)
            return true;
    return false;
}

char *projects_union(const char *a, size_t a_size, const char *b, size_t b_size, size_t *ret_size)
{
    struct output o;
    struct line line;
    const char *rest = a;
    size_t left = a_size;
    output_begin(&o);
    while (next_line(&rest, &left, &line))
        output_bytes(&o, &line);
    while (next_line(&b, &b_size, &line))
        if (!has_line(a, a_size, &line))
            output_bytes(&o, &line);
    return output_end(&o, ret_size);
}
